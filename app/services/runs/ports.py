"""What the life of runs needs of the store, each as a role."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.engine.jobs.item_keys import KeyNote
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft, WakeUp
from app.engine.status import ResourceStatus, RunStatus
from app.services.runs.deleting import LockedRecords


class LockedRun(LockedRecords, Protocol):
    """A run whose row is locked for the length of a ``with`` block."""

    run: SyncJobRun | None
    """As it was when it was locked, without its stats; None when it was deleted."""
    status: RunStatus | None
    has_begun: bool
    """Its first units were written, if it has any."""
    has_decided_deletions: bool
    """Its webhook was told what has vanished."""
    watchers: Sequence[str]
    """Webhooks that are not the run's, and that asked by name for the event that tells of the end it was moved to."""

    def __enter__(self) -> "LockedRun":
        """Lock."""

    def __exit__(self, *exception: object) -> None:
        """Commit, or roll back after an exception."""

    def shown(self) -> SyncJobRun:
        """Return the run with its stats, as the block leaves it."""

    def end_resources(self, ended: Mapping[str, ResourceStatus]) -> None:
        """Give resources their last status, by id."""

    def unread_resources(self) -> Sequence[str]:
        """Name the resources with requests that failed or were never made."""

    def hold_increments(self, names: Collection[str]) -> None:
        """Let these resources of the next run ask from where they did, and the others from where this run ends."""

    def first_error(self, resources: Sequence[str] = ()) -> JsonObject | None:
        """Return the first recorded error of these resources, or of all, as ``{code, message, resource, at}``.

        Of a run that was resumed, the last one: the first may be mended.
        """

    def move(self, target: RunStatus, *, error: JsonObject | None = None, retry_after: datetime | None = None) -> bool:
        """Move the run when its status allows it."""

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        """Queue events; give the delivery unit to ring."""

    def announce(self, events: Sequence[EventDraft]) -> None:
        """Queue events for webhooks that are not the run's."""

    def record_errors(self, errors: Sequence[ErrorDraft]) -> None:
        """Keep errors for ``GET /errors``."""

    def close_spool(self, resource_id: str) -> str | None:
        """Make a unit of what a spool has gathered, unless all of it was given on; give the unit's id."""

    def mend(self, queue: str) -> list[WakeUp]:
        """Free what waits for nothing; list what to ring."""

    def what_is_left(self) -> str | None:
        """Describe what the run has left that nobody can work on; None when somebody can."""


class Moves(Protocol):
    """Moves runs by conditional updates."""

    def take_up(self, run_id: str, *, daemon_id: str) -> bool:
        """Move a created run to running, unless it waits for another one's mutex; tell whether it moved."""

    def move(self, run_id: str, target: RunStatus, *, error: JsonObject | None = None) -> bool:
        """Move the run when its status allows it; tell whether it moved."""

    def next_in_line(self, run_id: str) -> tuple[str, str] | None:
        """Find the run that waited for this one's mutex and may start now, with its queue."""

    def unblock(self, run_id: str, queue: str) -> Sequence[WakeUp]:
        """Let the units of a running run go that no event of it holds back; list what to ring."""

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
        """Keep an error of a run that need not be readable; nothing of one that is not there."""

    def locked(self, run_id: str) -> LockedRun:
        """Lock the run."""
