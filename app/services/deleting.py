"""Delete what has vanished upstream, at the end of a run that has seen all there is."""

import logging
from collections.abc import Sequence
from typing import Protocol

from app.engine import definition, deletes, planning
from app.engine.ids import new_id
from app.engine.objects import SyncJobRun
from app.engine.settling import Progress, ResourceState
from app.engine.work import ErrorDraft, Vanished
from app.services.ports import Clock

logger = logging.getLogger(__name__)


class LockedRecords(Protocol):
    """The records of a run whose row is locked."""

    def progress(self) -> Progress:
        """Tell how far the run is, all of it as of one moment."""

    def count_vanished(self, account_id: str, resource: str, resource_ids: Sequence[str]) -> Vanished:
        """Count what the run's pass has not seen."""

    def delete_vanished(self, account_id: str, resource: str, resource_ids: Sequence[str], *, count: int) -> None:
        """Make tombstones of what was counted."""


class Deletions:
    """What vanished, decided once per run."""

    def __init__(self, *, clock: Clock, limit_percent: float) -> None:
        self._clock = clock
        self._limit_percent = limit_percent

    def apply(self, run: SyncJobRun, locked: LockedRecords) -> list[ErrorDraft]:
        """Delete what a run that is about to complete has not seen; give an error for each resource it refuses to."""
        items, _ = definition.parse_resources(run.resources)
        plan = planning.plan(items)
        tracked = deletes.tracked(plan)
        if not tracked:
            return []
        states = locked.progress().resources
        by_name = {state.name: state for state in states}
        is_increment = run.previous_run_date is not None
        refusals = [
            self._delete(run, [state for state in states if state.resource == resource], locked)
            for resource in tracked
            if deletes.was_complete(resource, plan, by_name, is_increment=is_increment)
        ]
        return [refusal for refusal in refusals if refusal is not None]

    def _delete(self, run: SyncJobRun, writers: Sequence[ResourceState], locked: LockedRecords) -> ErrorDraft | None:
        resource, resource_ids = writers[0].resource, [state.id for state in writers]
        found = locked.count_vanished(run.integrated_account_id, resource, resource_ids)
        if deletes.is_too_many(found.vanished, found.held, limit_percent=self._limit_percent):
            return self._refusal(writers[0], found)
        if found.vanished:
            locked.delete_vanished(run.integrated_account_id, resource, resource_ids, count=found.vanished)
            logger.info("records were deleted", extra={"run_id": run.id, "count": found.vanished})
        return None

    def _refusal(self, writer: ResourceState, found: Vanished) -> ErrorDraft:
        message = (
            f"{found.vanished} of {found.held} records of '{writer.resource}' have vanished upstream, more than the "
            f"{self._limit_percent:g} % that may be deleted at once: nothing was deleted"
        )
        return ErrorDraft(
            id=new_id(),
            resource=writer.name,
            method=writer.method,
            code="delete_guard",
            message=message,
            details={"vanished": found.vanished, "held": found.held},
            at=self._clock.now(),
        )
