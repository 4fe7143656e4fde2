"""Delete what has vanished upstream, at the end of a run that has seen all there is."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.engine import definition, deletes, events, planning
from app.engine.changes import Change
from app.engine.ids import new_id
from app.engine.objects import SyncJobRun
from app.engine.settling import Progress, ResourceState
from app.engine.work import ErrorDraft, EventDraft, Pass, Vanished
from app.services.ports import Clock
from app.services.run_context import envelope_of

logger = logging.getLogger(__name__)


class LockedRecords(Protocol):
    """The records of a run whose row is locked."""

    def progress(self) -> Progress:
        """Tell how far the run is, all of it as of one moment."""

    def count_vanished(self, ended: Pass) -> Vanished:
        """Count what a pass has not seen."""

    def delete_vanished(self, ended: Pass, *, count: int) -> None:
        """Make tombstones of what was counted."""

    def tell_vanished(self, ended: Pass, tell: Callable[[Sequence[str]], Sequence[EventDraft]]) -> str | None:
        """Queue events that tell the run's webhook of what was counted; give the delivery unit to ring."""


@dataclass(slots=True)
class Decision:
    """What became of the records that a run has not seen."""

    refusals: list[ErrorDraft] = field(default_factory=list)
    """An error for each resource of which too many have vanished."""
    delivery_unit_id: str | None = None
    """What sends the events that tell of the others; the run ends once they are delivered."""


class Deletions:
    """What vanished, decided once per run."""

    def __init__(self, *, clock: Clock, limit_percent: float, batch_bytes: int) -> None:
        self._clock = clock
        self._limit_percent = limit_percent
        self._batch_bytes = batch_bytes

    def apply(self, run: SyncJobRun, locked: LockedRecords) -> Decision:
        """Delete what a run that is about to complete has not seen, or tell its webhook so."""
        decision = Decision()
        if run.webhook_id and not (run.changes_only and events.is_sent(run, events.RECORD)):
            return decision
        items, _ = definition.parse_resources(run.resources)
        plan = planning.plan(items)
        tracked = deletes.tracked(plan)
        if not tracked:
            return decision
        states = locked.progress().resources
        by_name = {state.name: state for state in states}
        for resource in tracked:
            if deletes.was_complete(resource, plan, by_name):
                self._decide(run, [state for state in states if state.resource == resource], locked, decision)
        return decision

    def _decide(
        self, run: SyncJobRun, writers: Sequence[ResourceState], locked: LockedRecords, decision: Decision
    ) -> None:
        ended = Pass(
            run_id=run.id,
            account_id=run.integrated_account_id,
            resource=writers[0].resource,
            resource_ids=[state.id for state in writers],
            webhook_id=run.webhook_id,
        )
        found = locked.count_vanished(ended)
        if deletes.is_too_many(found.vanished, found.held, limit_percent=self._limit_percent):
            decision.refusals.append(self._refusal(writers[0], found))
        elif found.vanished and run.webhook_id:
            decision.delivery_unit_id = locked.tell_vanished(ended, self._telling(run, writers[0]))
        elif found.vanished:
            locked.delete_vanished(ended, count=found.vanished)
            logger.info("records were deleted", extra={"run_id": run.id, "count": found.vanished})

    def _telling(self, run: SyncJobRun, writer: ResourceState) -> Callable[[Sequence[str]], Sequence[EventDraft]]:
        """Make what makes events of records that have vanished: nothing is known of them but their ids."""
        origin = events.Origin(run=run, resource=writer.resource, method=writer.method, resource_id=writer.id)
        envelope = envelope_of(run, self._clock)

        def tell(ids: Sequence[str]) -> Sequence[EventDraft]:
            told = {remote_id: {"id": remote_id} for remote_id in ids}
            return events.changes(envelope, origin, Change.DELETED, told, limit_bytes=self._batch_bytes)

        return tell

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
