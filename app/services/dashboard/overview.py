"""The overview of an environment: what ended, how fast records come, and what needs attention."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from app.engine.objects.environments import EnvironmentId

Tone: TypeAlias = Literal["bad", "warn", "live"]
COMPLETED_WITH_ERRORS: Final = "completed_with_errors"
"""What a run came to that has completed, with requests or records that failed and that no resume has mended."""
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How many runs ended so within an hour."""

    hour: datetime
    status: str
    """A final status of runs, or ``COMPLETED_WITH_ERRORS``."""
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many records a run has read, and when it worked."""

    begun_at: datetime
    ended_at: datetime
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One thing that needs attention, or one group of things."""

    id: str
    name: str
    told: str
    """What is wrong."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Things of one kind that need attention: how many there are, and some of them."""

    count: int = 0
    examples: Sequence[Example] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What Postgres shows of what may need attention."""

    accounts: Trouble = field(default_factory=Trouble)
    webhooks: Trouble = field(default_factory=Trouble)
    destinations: Trouble = field(default_factory=Trouble)
    triggers: Trouble = field(default_factory=Trouble)
    resources: Trouble = field(default_factory=Trouble)
    failed: Trouble = field(default_factory=Trouble)
    flawed: Trouble = field(default_factory=Trouble)
    incidents: Trouble = field(default_factory=Trouble)
    waiting: Trouble = field(default_factory=Trouble)
    stalled: Trouble = field(default_factory=Trouble)
    quarantined: Trouble = field(default_factory=Trouble)
    schemas: Trouble = field(default_factory=Trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One thing that needs attention."""

    title: str
    tone: Tone
    meaning: str
    address: str
    """Below ``/ui``."""
    trouble: Trouble
    kind: str
    """The part of an address below which each example is; empty: they have no pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTrigger:
    """A trigger, and when it makes its next run."""

    id: str
    job: str
    cron_expression: str
    timezone: str
    next_run_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewReads:
    """What the overview reads of an environment; each is fast at any number of runs."""

    count_outcomes: Callable[[EnvironmentId], Sequence[Outcome]]
    """Counts the runs that ended in the last 24 hours."""
    find_last_end: Callable[[EnvironmentId], str]
    """Names the run that ended last, and when."""
    list_paces: Callable[[EnvironmentId], Sequence[Pace]]
    """Lists the runs that worked within the last hour."""
    read_troubles: Callable[[EnvironmentId], Troubles]
    list_due: Callable[[EnvironmentId], Sequence[DueTrigger]]


_KINDS: Final[Sequence[tuple[str, Tone, str, str, str, str]]] = (
    (
        "accounts",
        "bad",
        "accounts",
        "/accounts?status=needs_reauth",
        "Accounts to be reconnected",
        "their credentials are refused",
    ),
    ("webhooks", "bad", "webhooks", "/webhooks", "Webhooks that are disabled", "they failed for too long"),
    (
        "destinations",
        "bad",
        "destinations",
        "/destinations",
        "Destinations that fail",
        "what is new does not reach them",
    ),
    (
        "triggers",
        "bad",
        "triggers",
        "/triggers",
        "Triggers that make no run",
        "the last due time failed, or has passed",
    ),
    (
        "resources",
        "bad",
        "jobs",
        "",
        "Resources whose last run failed",
        "by job, with the accounts whose last run got nothing of it",
    ),
    ("failed", "bad", "runs", "/runs?status=failed", "Runs that failed in the last 24 hours", "each page says why"),
    (
        "incidents",
        "warn",
        "incidents",
        "/incidents?is_open=true",
        "Incidents that people are notified of",
        "by event and cause, the longest first; they are not over",
    ),
    (
        "flawed",
        "warn",
        "runs",
        "/runs?status=completed&has_errors=true",
        "Runs that completed with errors in the last 24 hours",
        "requests or records of them failed, and no resume has mended it",
    ),
    ("waiting", "warn", "runs", "/runs?status=created", "Runs that wait for a daemon", "for over a minute"),
    ("stalled", "warn", "runs", "/runs?status=running", "Runs without progress", "for ten minutes"),
    ("quarantined", "warn", "runs", "/runs", "Runs with quarantined records", "among the newest of the last 24 hours"),
    ("schemas", "live", "", "", "Schemas that changed in the last 24 hours", "columns were added or widened"),
)
"""Field, tone, the part of an address below which examples are, where all are, title, and what it means."""


def list_attention(troubles: Troubles) -> Sequence[Attention]:
    """Return what needs attention, the worst first; nothing of what is not there."""
    found = (
        Attention(title=title, tone=tone, meaning=meaning, address=address, trouble=getattr(troubles, name), kind=kind)
        for name, tone, kind, address, title, meaning in _KINDS
    )
    return [one for one in found if one.trouble.count]


def measure_records(paces: Sequence[Pace], now: datetime, *, minutes: int = 60) -> Sequence[float]:
    """Return the records of each of the last minutes, those of a run evenly over its time."""
    first = now.replace(second=0, microsecond=0) - (minutes - 1) * _MINUTE
    counts = [0.0] * minutes
    for pace in paces:
        for at, share in _spread(pace, first, minutes):
            counts[at] += share
    return counts


def _spread(pace: Pace, first: datetime, minutes: int) -> Iterator[tuple[int, float]]:
    whole = max((pace.ended_at - pace.begun_at).total_seconds(), 1e-3)
    begun = min(max(0, int((pace.begun_at - first) // _MINUTE)), minutes - 1)
    ended = min(max(0, int((pace.ended_at - first) // _MINUTE)), minutes - 1)
    for at in range(begun, ended + 1):
        start, end = first + at * _MINUTE, first + (at + 1) * _MINUTE
        within = (min(end, pace.ended_at) - max(start, pace.begun_at)).total_seconds()
        if begun == ended and pace.begun_at >= first:
            within = whole
        if within > 0:
            yield at, pace.records * within / whole


def fill_hours(
    outcomes: Sequence[Outcome], now: datetime, *, hours: int = 24
) -> Sequence[tuple[datetime, Mapping[str, int]]]:
    """Return each of the last hours with its outcomes, also those in which no run ended."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    found: dict[datetime, dict[str, int]] = {this_hour - timedelta(hours=ago): {} for ago in reversed(range(hours))}
    for outcome in outcomes:
        if outcome.hour in found:
            found[outcome.hour][outcome.status] = outcome.runs
    return list(found.items())
