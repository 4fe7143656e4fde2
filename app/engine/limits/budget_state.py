"""What is known of one account's limits, what a process reports of it, and the part that it gets.

A budget is kept as one JSON text; a text of another release, or nonsense, counts as nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from app.engine.limits import constants


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """What is known beforehand."""

    most: int = 64
    """Requests in flight, at most."""
    start: int = 8
    pace: float | None = None
    """Requests per second that the integration's config allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What one process holds of the window."""

    slots: int
    wanted: int
    in_flight: int
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The requests that an upstream says remain, until it makes them up again."""

    left: int
    size: int | None
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How many requests were served and refused; old ones count less."""

    served: float = 0.0
    refused: float = 0.0

    @property
    def count(self) -> float:
        """All of them."""
        return self.served + self.refused

    @property
    def share(self) -> float:
        """The part that was refused."""
        return self.refused / self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """All that is known of one account's limits, and who uses what."""

    saved_at: float = 0.0
    window: float
    threshold: float
    """The window doubles up to here, then grows by one per round trip."""
    cut_at: float = 0.0
    not_before: float = 0.0
    strikes: int = 0
    """Refusals in a row with nothing served in between."""
    is_probing: bool = False
    """One request at a time, until one is served."""
    pace: float | None = None
    limit_pace: float | None = None
    """The pace at the last refusal."""
    judged_pace: float | None = None
    """The fastest pace that was refused since refusals were judged anew; None while most are for their pace alone."""
    recent: Answers = field(default_factory=Answers)
    fast: Answers = field(default_factory=Answers)
    """Of requests at more than half of ``judged_pace``."""
    slow: Answers = field(default_factory=Answers)
    evidence: float = 0.0
    """How many served requests the pace was learned from."""
    next_at: float = 0.0
    hold: float = constants.HOLD_SECONDS
    grow_at: float = 0.0
    period: float = 1.0
    """How long, in seconds, the upstream's limit seems to count: as long as it has refused without a break."""
    opened_at: float = 0.0
    """When the account was served again after its last refusals."""
    opened_served: float = 0.0
    closed_at: float = 0.0
    """When the last refusals began."""
    epoch_at: float = 0.0
    served: float = 0.0
    """Since the epoch began; what was served long ago no longer counts."""
    refused: int = 0
    quota: Quota | None = None
    holders: Mapping[str, Holder] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a process saw since its last report, and what it wants now."""

    wanted: int = 0
    """Requests in flight, and those that wait."""
    in_flight: int = 0
    served: int = 0
    """Of requests that were sent after the last cut, as ``refused``."""
    refused: int = 0
    late_served: int = 0
    """Of requests that were sent before it."""
    late_refused: int = 0
    trouble_sent_at: float = 0.0
    """When the last request was sent that was refused, or met a busy upstream."""
    wait_seconds: float | None = None
    """What the upstream named; None where it named none."""
    default_wait_seconds: float | None = None
    """The first wait that the integration's config asks for where the upstream names none."""
    is_slow: bool = False
    """Answers take much longer than they did."""
    is_full: bool = False
    """The window was what held requests back."""
    was_idle: bool = False
    """Nothing was in flight for a moment, and what came before is not counted."""
    quota: Quota | None = None
    has_room: bool = False
    """The last answer said that requests remain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A process's part until its next report."""

    slots: int
    starts: tuple[float, ...] | None
    """When a further request may be sent, each once; None is at any time."""
    next_at: float
    """The earliest start of the request after those."""
    not_before: float
    cut_at: float
    window: int
    pace: float | None
    part: int
    """An even part of the window, whatever is wanted."""
    is_opening: bool
    """Nothing is known yet: send in rounds, so that a first refusal comes before many requests are out."""


def new_budget(limits: BudgetLimits) -> Budget:
    """Return a budget of which nothing is known."""
    start = min(limits.start, limits.most)
    return Budget(window=float(start), threshold=float(limits.most))


def reopen(budget: Budget) -> Budget:
    """End a pause: one request tests whether the upstream serves again; what was learned stays."""
    return replace(budget, not_before=0.0, next_at=0.0, quota=None, is_probing=True)


def merge_quota(known: Quota | None, reported: Quota) -> Quota:
    """Keep the least that remains of one window: answers overtake each other."""
    if known is None or reported.until > known.until + constants.SAME_RESET_SECONDS:
        return reported
    return replace(reported, left=min(known.left, reported.left))


def write_budget(budget: Budget) -> str:
    """Write a budget as JSON."""
    return orjson.dumps(budget).decode()


def read_budget(text: str) -> Budget | None:
    """Read a budget; None for nothing, or for what another release wrote."""
    try:
        fields = orjson.loads(text)
        holders = {name: Holder(**holder) for name, holder in fields.pop("holders").items()}
        quota = fields.pop("quota")
        fields |= {name: Answers(**fields[name]) for name in ("recent", "fast", "slow")}
        return Budget(**fields, holders=holders, quota=None if quota is None else Quota(**quota))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
