"""The counters of a run's resources, and the equations that must hold before it is completed: its books balance."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JsonObject
from app.engine.runs.increments import LowerBounds
from app.engine.status import ResourceStatus
from app.engine.times import format_utc_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one resource of one run has counted."""

    pages: int = 0
    fetched: int = 0
    """Records that the upstream returned."""
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    """Records that were held as they are; with ``changes_only``, those that the webhook knows as they are."""
    deleted: int = 0
    """Records that have vanished upstream, and those that it marks as deleted."""
    quarantined: int = 0
    """Records that could not be kept, or are larger than their receiver takes; each has an error."""
    queued: int = 0
    """Records put into events for the webhook."""
    withheld: int = 0
    """Records that the webhook does not get: ``events_to_send`` leaves their events out."""
    delivered: int = 0
    dead_lettered: int = 0
    skipped: int = 0
    """Child requests that a failed parent keeps from being made."""
    errors: int = 0
    """All that ``GET /errors`` lists, those too that a resume has mended."""
    retried: int = 0
    """Failed requests that a resume has repeated."""
    unproven: int = 0
    """Lists whose end is a guess: the upstream did not say that there is no more."""
    tombstones: int = 0
    """Those of the deleted records that came as records: ``deleted_when`` found them."""
    repeated: int = 0
    """Records that came again: with one write, or after the run itself has written them. The last one is kept."""

    @property
    def standing_errors(self) -> int:
        """The errors whose request was not repeated."""
        return self.errors - self.retried

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})


_NAMES = tuple(one.name for one in fields(Counters))


def find_imbalance(counters: Counters, *, persisted: bool, to_webhook: bool) -> str | None:
    """Return the equation that does not hold; None when the books balance."""
    negative = [name for name, count in asdict(counters).items() if count < 0]
    if negative:
        return f"{negative[0]} is below zero"
    if counters.standing_errors < 0:
        return f"retried ({counters.retried}) is above errors ({counters.errors})"
    if not persisted:
        return None
    if to_webhook:
        return _compare(*write_delivery_equation(counters)) or _compare(
            "queued", counters.queued, "delivered + dead_lettered", counters.delivered + counters.dead_lettered
        )
    return _compare(*write_storage_equation(counters))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """What is known of a resource's lists beside their counters."""

    expected: int | None = None
    """The records that the upstream's totals declare; None where it declares none."""
    warnings: JsonObject = field(default_factory=dict)
    """By code: how often, and the first message."""
    reading: JsonObject = field(default_factory=dict)
    """How its lists are read: by the way, the reason."""
    previous_run_date: datetime | None = None
    """The lower bound of its increment; None where it requests everything."""


def write_delivery_equation(counters: Counters) -> tuple[str, int, str, int]:
    """Return the equation of records for a webhook, of which those that have vanished are sent too."""
    given, names = counters.fetched + counters.deleted, "fetched + deleted"
    if counters.tombstones:
        given, names = given - counters.tombstones, f"{names} - tombstones"
    fate = counters.queued + counters.quarantined + counters.unchanged + counters.repeated + counters.withheld
    return names, given, "queued + quarantined + unchanged + repeated + withheld", fate


def write_storage_equation(counters: Counters) -> tuple[str, int, str, int]:
    """Return the equation of records that are kept here."""
    fate, names = counters.created + counters.updated, "created + updated"
    if counters.tombstones:
        fate, names = fate + counters.tombstones, f"{names} + tombstones"
    return (
        "fetched",
        counters.fetched,
        f"{names} + unchanged + repeated + quarantined",
        fate + counters.unchanged + counters.repeated + counters.quarantined,
    )


def show_stats(
    counters: Counters,
    *,
    status: str,
    started_at: datetime | None,
    finished_at: datetime | None,
    lists: ListFacts = ListFacts(),
) -> JsonObject:
    """Show a resource's counters as ``resource_stats`` does: ``persisted`` are the rows that the run has written."""
    return {
        **{name: getattr(counters, name) for name in _NAMES},
        "persisted": counters.created + counters.updated + counters.delivered,
        "expected": lists.expected,
        "warnings": lists.warnings,
        "reading": lists.reading,
        "status": status,
        "started_at": format_utc_or_none(started_at),
        "finished_at": format_utc_or_none(finished_at),
        "previous_run_date": format_utc_or_none(lists.previous_run_date),
    }


def show_first_stats(items: Iterable[ResourceItem], bounds: LowerBounds) -> JsonObject:
    """Show the counters of resources that have not started."""
    first: JsonObject = {}
    for item in items:
        first.setdefault(item.name, {})[item.method] = show_stats(
            Counters(),
            status=ResourceStatus.WAITING,
            started_at=None,
            finished_at=None,
            lists=ListFacts(previous_run_date=bounds.find(item.name)),
        )
    return first


def _compare(left_name: str, left: int, right_name: str, right: int) -> str | None:
    return None if left == right else f"{left_name} ({left}) is not {right_name} ({right})"


def describe_failed(count: int) -> str:
    """Return in words how many requests or records failed."""
    return "1 request or record failed" if count == 1 else f"{count:,} requests or records failed"
