"""What a run begins with: its roots' units, and for a webhook run the events that come before all others.

The second of these, ``started``, is the one that its receiver has to agree to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.engine.ids import new_id
from app.engine.jobs import scope
from app.engine.jobs.items import ResourceItem
from app.engine.objects.runs import SyncJobRun
from app.engine.record_errors import LoopError
from app.engine.runs import books
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft, UnitKind, cut_into_units, draft_error
from app.engine.status import ErrorHandling, RunStatus, UnitStatus
from app.engine.webhooks import events
from app.services.contexts.context import RunContext
from app.services.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstWork:
    """All that a run's beginning writes."""

    units: Sequence[UnitDraft]
    events: Sequence[EventDraft]
    errors: Sequence[ErrorDraft]
    delivery_unit_id: str | None
    asks_receiver: bool = False
    """All else waits for the receiver's answer to ``started``."""


class RunStarter:
    """Makes the first work of runs."""

    def __init__(self, *, clock: Clock, children_per_unit: int) -> None:
        self._clock = clock
        self._children_per_unit = children_per_unit

    def of(self, context: RunContext) -> FirstWork:
        """Make a run's first work."""
        units, errors = self._first_units(context)
        delivery, first_events = self._delivery(context)
        if delivery is None:
            return FirstWork(units=units, events=(), errors=errors, delivery_unit_id=None)
        if events.is_sent(context.run, events.RECORD_ERROR):
            first_events += self._error_events(context, errors)
        if first_events:
            delivery = replace(delivery, status=UnitStatus.READY)
        return FirstWork(
            units=[delivery, *units],
            events=first_events,
            errors=errors,
            delivery_unit_id=delivery.id,
            asks_receiver=_asks_receiver(context),
        )

    def _first_units(self, context: RunContext) -> tuple[list[UnitDraft], list[ErrorDraft]]:
        """Make the root resources' units; a loop_on that names no array is an error of that resource alone."""
        # A webhook run fetches nothing before its receiver has agreed to the started event.
        status = UnitStatus.BLOCKED if _asks_receiver(context) else UnitStatus.READY
        units: list[UnitDraft] = []
        errors: list[ErrorDraft] = []
        for item in context.plan.roots:
            try:
                elements = scope.list_root_elements(item, context.scope_of(item))
            except LoopError as error:
                errors.append(_error(error, item, self._clock))
            else:
                units += cut_into_units(
                    context.resource_ids[item.name], elements, size=self._children_per_unit, status=status
                )
        return units, errors

    def _delivery(self, context: RunContext) -> tuple[UnitDraft | None, list[EventDraft]]:
        if context.run.webhook_id is None:
            return None, []
        unit = UnitDraft(id=new_id(), resource_id=None, kind=UnitKind.DELIVERY, status=UnitStatus.IDLE)
        stats = books.show_first_stats(context.plan.order, context.bounds)
        started = replace(context.run, resource_stats=stats)
        told = ((events.CREATED, _as_created(started)), (events.STARTED, started))
        envelope = context.envelope(self._clock)
        return unit, [events.draft_lifecycle(run, name, envelope) for name, run in told if events.is_sent(run, name)]

    def _error_events(self, context: RunContext, errors: Sequence[ErrorDraft]) -> list[EventDraft]:
        return [
            events.draft_event(
                context.envelope(self._clock),
                id=new_id(),
                event=events.RECORD_ERROR,
                payload=events.build_error_payload(
                    context.run, [error], as_batch=context.run.error_handling is ErrorHandling.BATCH
                ),
            )
            for error in errors
        ]


def _asks_receiver(context: RunContext) -> bool:
    """Whether the run's receiver gets the event whose answer the run waits for."""
    return events.is_sent(context.run, events.STARTED)


def _as_created(run: SyncJobRun) -> SyncJobRun:
    """Return a run as it was before a daemon took it up."""
    return replace(run, status=RunStatus.CREATED, daemon_id=None, started_at=None, updated_at=run.created_at)


def _error(error: LoopError, item: ResourceItem, clock: Clock) -> ErrorDraft:
    return draft_error(error.code, error.message, at=clock.now(), source=item)
