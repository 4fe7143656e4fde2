"""What runs need of the store, each as a role."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.engine.jobs.item_keys import KeyNote
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.records.outcomes import PageWarning
from app.engine.runs.landing import AwaitedDestination
from app.engine.runs.settling import Progress
from app.engine.runs.work import ErrorDraft, EventDraft, Pass, UnitDraft, Vanished, WakeUp
from app.engine.status import ResourceStatus, RunStatus
from app.services.ports import Announcement
from app.services.runs.requests import CreatedRun, RunDraft


class LockedRun(Protocol):
    """A run whose row is locked for the length of a ``with`` block, and all that is decided in its transaction."""

    run: SyncJobRun | None
    """As it was when it was locked, without its stats; None when it was deleted."""
    has_begun: bool
    """Whether its first units were written, if it has any, and its webhook has received an event."""
    has_decided_deletions: bool
    """Whether its webhook's events about what has vanished were queued."""
    is_rekeying: bool
    """Whether records of the run have another key than they are held by."""
    watchers: Sequence[str]
    """Webhooks that are not the run's, and that asked by name for the event of the end it was moved to."""

    def __enter__(self) -> "LockedRun":
        """Lock."""

    def __exit__(self, *exception: object) -> None:
        """Commit, or roll back after an exception."""

    def read_run(self) -> SyncJobRun:
        """Return the run with its stats, as the block leaves it."""

    def progress(self) -> Progress:
        """Return how far the run is, all of it as of one moment."""

    def end_resources(self, ended: Mapping[str, ResourceStatus]) -> None:
        """Write the last status of resources, by id."""

    def find_unread_resources(self) -> Sequence[str]:
        """Return the names of the resources with requests that failed or were never made."""

    def hold_increments(self, names: Collection[str]) -> None:
        """Make the next run request these resources from where this one did, the others from where this one ends."""

    def find_first_error(self, resources: Sequence[str] = ()) -> JsonObject | None:
        """Return the first recorded error of these resources, or of all, as ``{code, message, resource, at}``.

        Of a run that was resumed, the last one: the first may be mended.
        """

    def move(self, target: RunStatus, *, error: JsonObject | None = None, retry_after: datetime | None = None) -> bool:
        """Move the run when its status allows it; return whether it moved."""

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        """Queue events; return the delivery unit to dispatch."""

    def announce(self, events: Sequence[EventDraft]) -> None:
        """Queue events for webhooks that are not the run's."""

    def record_errors(self, errors: Sequence[ErrorDraft]) -> None:
        """Record errors for ``GET /errors``."""

    def close_spool(self, resource_id: str) -> str | None:
        """Make a unit of what a spool has gathered, and return its id; None where all of it was passed on."""

    def mend(self, queue: str) -> list[WakeUp]:
        """Free what waits for nothing; return what to dispatch."""

    def describe_remains(self) -> str | None:
        """Describe what the run has left that no daemon can work on; None when one can."""

    def count_vanished(self, ended: Pass) -> Vanished:
        """Count what a pass has not seen."""

    def delete_vanished(self, ended: Pass, *, count: int) -> None:
        """Make tombstones of what was counted."""

    def queue_vanished(self, ended: Pass, draft: Callable[[Sequence[str]], Sequence[EventDraft]]) -> str | None:
        """Queue the events that ``draft`` makes of what was counted; return the delivery unit to dispatch."""

    def read_held_keys(self, ended: Pass) -> JsonObject | None:
        """Read ``{keys, is_shared, has_others}`` of a pass' records."""

    def has_old_records(self, ended: Pass) -> bool:
        """Whether the account has records from before its job brought any by another key."""

    def replace_keys(self, ended: Pass, keys: Sequence[JsonObject]) -> None:
        """Record that a pass' records are held by these keys alone."""

    def read_awaited(self) -> Sequence[AwaitedDestination]:
        """List the destinations that read what the run has changed."""

    def begin_landing(self) -> None:
        """Record that all but its destinations is done; what has vanished upstream is not decided again."""

    def note_landed(self, landed: Sequence[AwaitedDestination]) -> None:
        """Write what became of its records at its destinations."""

    def warn(self, resource_id: str, warning: PageWarning) -> None:
        """Count a warning of one of the run's resources."""

    def has_failed_requests(self) -> bool:
        """Whether requests of the run failed for good, and were not made again since."""

    def reopen(self, *, errors_only: bool, queue: str) -> int:
        """Create an ended run anew with what is left of it; return the id of its promised message."""


class RunMoves(Protocol):
    """Moves runs by conditional updates."""

    def take_up(self, run_id: str, *, daemon_id: str) -> bool:
        """Move a created run to running, unless it waits for another one's mutex; return whether it moved."""

    def move(self, run_id: str, target: RunStatus, *, error: JsonObject | None = None) -> bool:
        """Move the run when its status allows it; return whether it moved."""

    def find_next_in_line(self, run_id: str) -> tuple[str, str] | None:
        """Find the run that waited for this one's mutex and may start now, with its queue."""

    def unblock(self, run_id: str, queue: str) -> Sequence[WakeUp]:
        """Free the units of a running run that no event of it holds back; return what to dispatch."""

    def start(
        self,
        run_id: str,
        *,
        units: Sequence[UnitDraft],
        events: Sequence[EventDraft],
        errors: Sequence[ErrorDraft],
        keys: Sequence[KeyNote] = (),
    ) -> bool:
        """Write a run's first units, events and errors, and by what its records are known, once."""

    def record_error(self, run_id: str, error: ErrorDraft) -> None:
        """Record an error of a run that need not be readable, once; do nothing for one that is not there."""

    def lock(self, run_id: str) -> LockedRun:
        """Return the run's lock, to be entered."""


class RunStore(Protocol):
    """Stores runs."""

    def create(self, draft: RunDraft) -> CreatedRun:
        """Write a run, or find the one that its idempotency key made; raise IdempotencyKeyReusedError."""

    def create_as_supposed(self, draft: RunDraft) -> CreatedRun | None:
        """Write a run; None, and nothing is written, when what its draft supposes is not so."""

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun | None:
        """Read one run."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJobRun]:
        """Read a page of runs."""

    def delete(
        self, environment_id: EnvironmentId, run_id: str, *, announce: Announcement, seen: RowVersion | None = None
    ) -> bool:
        """Remove a final run with its events and errors, never its records; queue the events of ``announce``."""

    def list_errors(self, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors."""
