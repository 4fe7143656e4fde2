"""Delete what has vanished upstream, at the end of a run that has seen all there is."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.engine.jobs import definition, planning
from app.engine.objects.runs import SyncJobRun
from app.engine.records.outcomes import Change
from app.engine.runs import deletes
from app.engine.runs.settling import Progress, ResourceState
from app.engine.runs.work import ErrorDraft, EventDraft, Pass, Vanished, draft_error
from app.engine.webhooks import events
from app.services.contexts.context import envelope_of
from app.services.ports import Clock
from app.services.runs import rekeying
from app.services.runs.rekeying import LockedKeys

logger = logging.getLogger(__name__)


class LockedRecords(LockedKeys, Protocol):
    """The records of a run whose row is locked."""

    def progress(self) -> Progress:
        """Return how far the run is, all of it as of one moment."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """One resource of a run that is about to complete."""

    run: SyncJobRun
    writers: Sequence[ResourceState]
    """The resources that bring its records."""
    locked: LockedRecords
    decision: Decision

    @property
    def seen(self) -> Pass:
        """What has seen its records."""
        return Pass(
            run_id=self.run.id,
            account_id=self.run.integrated_account_id,
            resource=self.writers[0].resource,
            resource_ids=[state.id for state in self.writers],
            webhook_id=self.run.webhook_id,
        )


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
        tracked = deletes.list_tracked(plan)
        if not (tracked or locked.is_rekeying):
            return decision
        states = locked.progress().resources
        by_name = {state.name: state for state in states}
        rekeyed = rekeying.resources(states)
        for resource in dict.fromkeys((*rekeyed, *tracked)):
            writers = [state for state in states if state.resource == resource]
            ending = _Ending(run=run, writers=writers, locked=locked, decision=decision)
            is_complete = deletes.was_complete(resource, plan, by_name)
            if resource in rekeyed:
                self._replace(ending, is_complete=is_complete)
            if resource in tracked and is_complete:
                self._decide(ending)
        return decision

    def _replace(self, ending: "_Ending", *, is_complete: bool) -> None:
        """Delete what is held by former keys, however much it is."""
        replacement = rekeying.planned(ending.seen, ending.writers, ending.locked) if is_complete else None
        if replacement is None:
            rekeying.refuse(ending.writers[0], ending.locked)
            return
        found = ending.locked.count_vanished(replacement.ended)
        self._delete(ending, replacement.ended, found)
        rekeying.finish(replacement, ending.writers[0], found.vanished, ending.locked)

    def _decide(self, ending: "_Ending") -> None:
        found = ending.locked.count_vanished(ending.seen)
        if deletes.is_too_many(found.vanished, found.held, limit_percent=self._limit_percent):
            ending.decision.refusals.append(self._refusal(ending.writers[0], found))
        else:
            self._delete(ending, ending.seen, found)

    def _delete(self, ending: "_Ending", ended: Pass, found: Vanished) -> None:
        if not found.vanished:
            return
        run, locked = ending.run, ending.locked
        if run.webhook_id:
            tell = self._telling(run, ending.writers[0])
            ending.decision.delivery_unit_id = locked.tell_vanished(ended, tell)
        else:
            locked.delete_vanished(ended, count=found.vanished)
            logger.info("records were deleted", extra={"run_id": run.id, "count": found.vanished})

    def _telling(self, run: SyncJobRun, writer: ResourceState) -> Callable[[Sequence[str]], Sequence[EventDraft]]:
        """Make what makes events of records that have vanished: nothing is known of them but their ids."""
        origin = events.Origin(run=run, resource=writer.resource, method=writer.method, resource_id=writer.id)
        envelope = envelope_of(run, self._clock)

        def tell(ids: Sequence[str]) -> Sequence[EventDraft]:
            told = {remote_id: {"id": remote_id} for remote_id in ids}
            return events.draft_changes(envelope, origin, Change.DELETED, told, limit_bytes=self._batch_bytes)

        return tell

    def _refusal(self, writer: ResourceState, found: Vanished) -> ErrorDraft:
        message = (
            f"{found.vanished} of {found.held} records of '{writer.resource}' have vanished upstream, more than the "
            f"{self._limit_percent:g} % that may be deleted at once: nothing was deleted"
        )
        details = {"vanished": found.vanished, "held": found.held}
        return draft_error("delete_guard", message, at=self._clock.now(), source=writer, details=details)
