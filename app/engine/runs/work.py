"""The values of one slice of work, from the claim of a unit to the write of its pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.engine.ids import new_id
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.records.outcomes import Change, PageWarning, Reading
from app.engine.records.rows import RecordBatch
from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges, ResourceState
from app.engine.status import UnitStatus


class UnitKind(StrEnum):
    """What a unit of work does."""

    FETCH = "fetch"
    """Requests the elements of one resource."""
    DELIVERY = "delivery"
    """Sends the run's events to its webhook, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A unit whose lease this worker holds; every write with it is refused once the fencing token has moved on."""

    unit_id: str
    run_id: str
    resource_id: str | None
    kind: UnitKind
    fencing_token: int
    attempts: int
    """Claims since the last page was committed, this one included."""
    elements: Sequence[JsonObject] = field(repr=False)
    frontier: JsonObject
    idle_slices: int = 0
    """Slices in a row without progress: no record, and no end of a pagination."""
    webhook_id: str | None = None
    """The webhook among whose deliveries a delivery unit's lease is counted."""
    is_crowded: bool = False
    """Others may wait for this lease to end: that webhook has about as many deliveries in flight as it may, or had."""

    @property
    def retry_seconds(self) -> float:
        """How long the unit sleeps after an unexpected error: a second, then longer each time."""
        return retry.compute_backoff(self.attempts, 2.0, 30.0) - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTerms:
    """Who claims units, for how long, and how many at most."""

    owner: str
    lease_seconds: float
    most_of_account: int
    """Units of one account that the owner works on at once."""
    most_of_webhook: int
    """Deliveries to one webhook that are in flight at once, over all daemons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDraft:
    """A unit that is about to be written."""

    id: str
    resource_id: str | None
    kind: UnitKind = UnitKind.FETCH
    status: UnitStatus = UnitStatus.READY
    elements: Sequence[JsonObject] = ()


def cut_into_units(
    resource_id: str, elements: Sequence[JsonObject], *, size: int, status: UnitStatus = UnitStatus.READY
) -> list[UnitDraft]:
    """Split a resource's elements into units of at most ``size``."""
    return [
        UnitDraft(id=new_id(), resource_id=resource_id, status=status, elements=elements[start : start + size])
        for start in range(0, len(elements), size)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """All resources of a run that bring an account's records of one kind, once they have ended."""

    run_id: str
    account_id: str
    resource: str
    resource_ids: Sequence[str]
    """Their rows; what was deleted is counted with the first."""
    webhook_id: str | None = None
    """The webhook that gets changes only; None where records are persisted."""
    replaced_only: bool = False
    """Of what it has not seen, only that counts which it has seen under another id."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """How many records an account has of a resource, and how many of them a pass did not see."""

    held: int
    vanished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """One webhook event that is about to be written: the exact bytes that will be signed and sent."""

    id: str
    webhook_id: str
    event: str
    body: bytes = field(repr=False)
    resource_id: str | None = None
    records: int = 0
    integrated_account_id: str | None = None
    log_sequence: int | None = None
    """A record batch's number in its account's log."""
    remote_ids: Sequence[str] | None = None
    """The ids of its records, where the webhook gets changes only."""
    previous_log_sequence: int | None = None
    """That of the batch before it to the same webhook; None for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDraft:
    """One error that is about to be recorded."""

    id: str = field(default_factory=new_id)
    resource: str | None = None
    method: str | None = None
    code: str
    message: str
    details: JsonObject = field(default_factory=dict)
    at: datetime


def draft_error(
    code: str,
    message: str,
    *,
    at: datetime,
    source: ResourceItem | ResourceState | None = None,
    details: JsonObject | None = None,
) -> ErrorDraft:
    """Make an error of a run, or of one of its resources."""
    return ErrorDraft(
        id=new_id(),
        resource=None if source is None else source.name,
        method=None if source is None else source.method,
        code=code,
        message=message,
        details=details or {},
        at=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredBatch:
    """A batch that a spool keeps until the end of its parent."""

    resource_id: str
    records: bytes = field(repr=False)
    """A JSON array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Records to compare with what a webhook was last sent, and how to make events of the differences."""

    webhook_id: str
    records: RecordBatch = field(repr=False)
    deleted: Sequence[str] = ()
    """Ids of records that the upstream marks as deleted."""
    draft: Callable[[Change, Sequence[str]], Sequence[EventDraft]]
    """Makes the events of the records of these ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWrite:
    """All that one or more fetched pages of a unit change, written in one transaction."""

    claim: Claim
    frontier: JsonObject
    end: UnitStatus | None = None
    """The unit's last status when nothing is left of it; None keeps the lease."""
    lease_seconds: float
    has_progress: bool = True
    """It brings records, or ends a pagination; an upstream may return empty pages with new cursors for ever."""
    account_id: str
    resource: str
    records: RecordBatch = field(default_factory=RecordBatch)
    deleted: Sequence[str] = ()
    """Ids of records to make tombstones of, where they are held."""
    changes: Changes | None = None
    """Records for a webhook that gets changes only."""
    tracks_deletes: bool = False
    """The records' ids are kept until the resource ends: those that are not among them have vanished."""
    former_ids: Sequence[str] = ()
    """The records' ids by their resource's former key; kept with their ids."""
    server_date: datetime | None = None
    """The upstream's clock as one of the pages came."""
    events: Sequence[EventDraft] = ()
    children: Sequence[UnitDraft] = ()
    errors: Sequence[ErrorDraft] = ()
    counters: Counters = field(default_factory=Counters)
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Resource id to the number of child requests that a failed parent request keeps from being made."""
    child_errors: Mapping[str, int] = field(default_factory=dict)
    """Resource id to those of the errors that are a child's, each of which skips it too."""
    expected: int | None = None
    """The records that the upstream's totals declare of the lists that end here; None where it declares none."""
    has_paged: bool = False
    """A page had a next page."""
    readings: frozenset[Reading] = frozenset()
    """How the pages' lists are read on."""
    exchanges: Exchanges = field(default_factory=Exchanges)
    gathered: Sequence[GatheredBatch] = ()
    warnings: Sequence[PageWarning] = ()
    """Warnings of the pages: no record was lost."""
    collision: PageWarning | None = None
    """Warns of one record that takes the place of another one of the same run; None where none can be another one."""
    counts_repeats: bool = False
    """Records that the run itself has written before count as repeated, not as updated or unchanged."""
    given_on: Sequence[str] = ()
    """What spools have gathered and passed on by this write: it can be deleted."""
    has_gaps: bool = False
    """A child request could not be built, which no resume repairs: the next run has to request the record again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEvent:
    """One event that waits for delivery."""

    id: str
    webhook_id: str
    resource_id: str | None
    event: str
    body: bytes = field(repr=False)
    records: int
    attempts: int
    created_at: datetime
    is_open: bool = False
    """A batch of records before its first attempt: others may be merged with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """A unit that a daemon should look at."""

    run_id: str
    unit_id: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdedOut:
    """A unit without a lease, which could be claimed if there were room."""

    kind: UnitKind
    account_id: str
    dispatch: WakeUp


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFacts:
    """What a task works on, for monitoring."""

    run_id: str
    account_id: str
    what: str
    """The resource and its method, or what else there is to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceOutcome:
    """The outcome of one slice."""

    run_id: str | None = None
    may_settle: bool = False
    """The run may have ended: it should be settled."""


NOTHING_DONE = SliceOutcome()
