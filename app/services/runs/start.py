"""What a run starts with: its roots' units, and for a webhook run the events that come before all others.

The second of these, ``started``, is the one that its receiver has to accept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.engine.ids import new_id
from app.engine.jobs import scope
from app.engine.objects.runs import SyncJobRun
from app.engine.record_errors import LoopError
from app.engine.runs import books
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft, UnitKind, WorkFacts, cut_into_units, draft_error
from app.engine.status import ErrorHandling, RunStatus, UnitStatus
from app.engine.webhooks import events
from app.services.contexts.context import RunContext
from app.services.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstWork:
    """All that the start of a run writes."""

    units: Sequence[UnitDraft]
    events: Sequence[EventDraft] = ()
    errors: Sequence[ErrorDraft]
    delivery_unit_id: str | None = None
    asks_receiver: bool = False
    """All else waits for the receiver's answer to ``started``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """A run whose first units are written."""

    context: RunContext
    is_current: bool = True
    """Whether slices may use the context; else the start has changed what it is made of."""
    delivery_unit_id: str | None = None
    """Sends the event that all else waits for; None where nothing waits."""
    has_work: bool
    """Whether there is a unit to work on; else the run may have come to its end already."""

    @property
    def only_resource_id(self) -> str | None:
        """The resource of a run that has but one and asks no receiver; None of any other run."""
        if self.delivery_unit_id is not None or len(self.context.plan.order) != 1:
            return None
        return self.context.resource_ids[self.context.plan.order[0].name]

    @property
    def facts(self) -> WorkFacts:
        """What the start is about: which resources."""
        items = [f"{item.name} {item.method}" for item in self.context.plan.order]
        what = items[0] if len(items) == 1 else f"start of {len(items)} resources"
        return WorkFacts(run_id=self.context.run.id, account_id=self.context.account.id, what=what)


def plan_first_work(context: RunContext, *, clock: Clock, children_per_unit: int) -> FirstWork:
    """Return the first units, events and errors of a run."""
    run = context.run
    # A webhook run fetches nothing before its receiver has accepted the started event.
    asks_receiver = events.is_sent(run, events.STARTED)
    status = UnitStatus.BLOCKED if asks_receiver else UnitStatus.READY
    units, errors = _plan_root_units(context, status, clock=clock, size=children_per_unit)
    if run.webhook_id is None:
        return FirstWork(units=units, errors=errors)
    drafts = _draft_events(context, errors, clock)
    delivery = UnitDraft(
        id=new_id(),
        resource_id=None,
        kind=UnitKind.DELIVERY,
        status=UnitStatus.READY if drafts else UnitStatus.IDLE,
    )
    return FirstWork(
        units=[delivery, *units],
        events=drafts,
        errors=errors,
        delivery_unit_id=delivery.id,
        asks_receiver=asks_receiver,
    )


def _plan_root_units(
    context: RunContext, status: UnitStatus, *, clock: Clock, size: int
) -> tuple[list[UnitDraft], list[ErrorDraft]]:
    """Return the root resources' units; a loop_on that names no array is an error of that resource alone."""
    units: list[UnitDraft] = []
    errors: list[ErrorDraft] = []
    for item in context.plan.roots:
        try:
            elements = scope.list_root_elements(item, context.scope_of(item))
        except LoopError as error:
            errors.append(draft_error(error.code, error.message, at=clock.now(), source=item))
        else:
            units += cut_into_units(context.resource_ids[item.name], elements, size=size, status=status)
    return units, errors


def _draft_events(context: RunContext, errors: Sequence[ErrorDraft], clock: Clock) -> list[EventDraft]:
    envelope = context.envelope(clock)
    run = replace(context.run, resource_stats=books.show_first_stats(context.plan.order, context.bounds))
    states = ((events.CREATED, _as_created(run)), (events.STARTED, run))
    drafts = [events.draft_lifecycle(state, name, envelope) for name, state in states if events.is_sent(run, name)]
    if events.is_sent(run, events.RECORD_ERROR):
        as_batch = run.error_handling is ErrorHandling.BATCH
        payloads = [events.build_error_payload(context.run, [error], as_batch=as_batch) for error in errors]
        drafts += [
            events.draft_event(envelope, id=new_id(), event=events.RECORD_ERROR, payload=payload)
            for payload in payloads
        ]
    return drafts


def _as_created(run: SyncJobRun) -> SyncJobRun:
    """Return a run as it was before a daemon took it up."""
    return replace(run, status=RunStatus.CREATED, daemon_id=None, started_at=None, updated_at=run.created_at)
