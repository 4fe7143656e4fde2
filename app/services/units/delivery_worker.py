"""Work on a delivery unit: send the run's events to its webhook one after the other, each until it is answered 2xx.

A slice holds its unit's lease, and no thread while a receiver takes its time: a thread submits an event and leaves;
another one handles the answer (delivery_pool.py). So one event of a run is under way at most, in order, by one lease.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from app import failpoints, tracing
from app.engine.errors import DeliveryError, LeaseLostError, StoreUnavailableError
from app.engine.objects import daemons
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import NOTHING_DONE, Claim, ErrorDraft, SliceOutcome, WakeUp, WorkFacts
from app.engine.status import DeliveryStatus
from app.failpoints import Failpoint
from app.services.runs.lifecycle import RunLifecycle
from app.services.units.batch_merging import BatchMerging
from app.services.units.delivery_outcomes import Attempt, DeliveryOutcomes
from app.services.units.delivery_pool import Answer, DeliveryPool, Place
from app.services.units.lease_keeper import LeaseKeeper
from app.services.units.ports import Deliveries, Report, Units, WorkerContext, report_nothing
from app.services.webhooks.health import WebhookHealth
from app.tracing import Kind, Span

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Slice:
    claim: Claim
    span: Span
    deadline: float
    report: Report = report_nothing
    steps: int = 0
    place: Place | None = None
    """Where its present event is under way."""

    def cancel(self) -> None:
        if self.place is not None:
            self.place.cancel()

    def report_once(self, run: SyncJobRun) -> None:
        report, self.report = self.report, report_nothing
        what = f"events to webhook {run.webhook_id}"
        report(WorkFacts(run_id=run.id, account_id=run.integrated_account_id, what=what))


class _Step(Enum):
    OVER = auto()
    """The event has come to its end."""
    UNDER_WAY = auto()
    """Its receiver has it, or it waits for more records."""
    GIVEN_BACK = auto()
    """It waits, and so does the unit."""


class DeliveryWorker:
    """Works on delivery units, one slice at a time."""

    def __init__(  # noqa: PLR0913  # one parameter per role
        self,
        *,
        load_run: Callable[[str], SyncJobRun | None],
        health: WebhookHealth,
        deliveries: Deliveries,
        units: Units,
        keeper: LeaseKeeper[Claim],
        pool: DeliveryPool,
        merging: BatchMerging,
        lifecycle: RunLifecycle,
        worker_context: WorkerContext,
    ) -> None:
        self._load_run = load_run
        self._health = health
        self._deliveries = deliveries
        self._units = units
        self._keeper = keeper
        self._pool = pool
        self._merging = merging
        self._lifecycle = lifecycle
        self._outcomes = DeliveryOutcomes(
            deliveries=deliveries, units=units, health=health, lifecycle=lifecycle, worker_context=worker_context
        )
        self._worker_context = worker_context
        self._clock = worker_context.clock
        self._settings = worker_context.settings

    def work(self, claim: Claim, *, report: Report = report_nothing) -> SliceOutcome:
        """Send until nothing waits, an attempt fails, the slice is over, or a receiver takes its time.

        Then nothing is done yet, and the slice goes on by itself.
        """
        facts = {"ferryman.unit.id": claim.unit_id, "ferryman.webhook.id": claim.webhook_id}
        span = tracing.begin("slice of deliveries", facts, kind=Kind.CONSUMER, run_id=claim.run_id)
        slice = _Slice(claim, span, self._clock.now().timestamp() + self._settings.slice_seconds, report)
        self._keeper.keep(claim, on_lost=slice.cancel)
        is_under_way = self._advance(slice, partial(self._send_on, slice))
        return NOTHING_DONE if is_under_way else SliceOutcome(run_id=claim.run_id, may_settle=True)

    def give_up_head(self, claim: Claim, error: ErrorDraft) -> SliceOutcome:
        """Give up the event that no daemon has survived sending, fail the run, and continue with the next."""
        event = self._deliveries.find_next_event(claim.run_id)
        self._lifecycle.fail(claim.run_id, error)
        try:
            if event is not None:
                self._outcomes.write(claim, event, DeliveryStatus.DEAD_LETTERED, error=error.message)
            self._yield(claim)
        except LeaseLostError:
            pass
        self._dispatch_waiting(claim)
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _advance(self, slice: _Slice, act: Callable[[], bool]) -> bool:
        """Do the next part of a slice, and end it unless an event is under way; return whether one is."""
        is_under_way = False
        try:
            with tracing.within(slice.span):
                is_under_way = act()
        except LeaseLostError:
            pass
        except Exception as error:
            slice.span.error = tracing.read_error(error)
            self._break_off(slice.claim, error)
        finally:
            if not is_under_way:
                self._keeper.release(slice.claim)
                slice.span.end()
        if not is_under_way:
            self._dispatch_waiting(slice.claim)
        return is_under_way

    def _send_on(self, slice: _Slice) -> bool:
        """Send event after event, until one is under way; False when the unit was given up."""
        claim = slice.claim
        while True:
            run = self._load_run(claim.run_id)
            if run is None:
                raise LeaseLostError
            slice.report_once(run)
            event = self._deliveries.find_next_event(claim.run_id)
            if event is None:
                lease_seconds = self._settings.lease_seconds
                if self._deliveries.go_idle(claim, run_is_final=run.status.is_final, lease_seconds=lease_seconds):
                    return False
                continue
            step = self._merge_and_send(slice, Attempt(claim=claim, run=run, event=event))
            if step is not _Step.OVER:
                return step is _Step.UNDER_WAY
            if self._count_event(slice):
                return False

    def _merge_and_send(self, slice: _Slice, attempt: Attempt) -> _Step:
        """Send what is next, once batches that wait behind it are merged with it."""
        if self._merging.may_merge(attempt.event):
            if pause := self._merging.pause_seconds(slice.claim, attempt.event):
                return self._linger(slice, pause)
            self._merging.merge(slice.claim, attempt.event)
            merged = self._deliveries.find_next_event(slice.claim.run_id)
            if merged is None:
                return _Step.OVER
            attempt = replace(attempt, event=merged)
        return self._send(slice, attempt)

    def _linger(self, slice: _Slice, seconds: float) -> _Step:
        """Wait for more records, which holds no thread."""
        if self._is_late(slice):
            self._yield(slice.claim)
            return _Step.GIVEN_BACK
        self._pool.submit_later(seconds, partial(self._resume, slice, partial(self._send_on, slice)))
        return _Step.UNDER_WAY

    def _send(self, slice: _Slice, attempt: Attempt) -> _Step:
        """Submit an event to its receiver, if it has one, and there is room for it."""
        event = attempt.event
        try:
            webhook = self._health.find_receiver(attempt.run.environment_id, event.webhook_id)
        except DeliveryError as error:
            return _to_step(self._outcomes.fail(attempt, error))
        if webhook is None:
            self._outcomes.abort(attempt, DeliveryError(f"webhook '{event.webhook_id}' was deleted"))
            return _Step.OVER
        slice.place = self._pool.reserve(webhook)
        if slice.place is None:
            if self._units.hand_back(slice.claim):
                self._pool.wait(webhook, _build_wake_up(slice.claim, attempt.run))
            return _Step.GIVEN_BACK
        sent = replace(attempt, webhook=webhook)
        answer = slice.place.send(event.id, event.body, partial(self._handle_answer, slice, sent))
        return _Step.UNDER_WAY if answer is None else self._write_answer(sent, answer)

    def _handle_answer(self, slice: _Slice, sent: Attempt, answer: Answer) -> None:
        """Resume a slice whose receiver has answered, in a thread that runs no task."""

        def act() -> bool:
            if self._write_answer(sent, answer) is not _Step.OVER or self._count_event(slice):
                return False
            return self._send_on(slice)

        self._resume(slice, act)

    def _resume(self, slice: _Slice, act: Callable[[], bool]) -> None:
        """Do the next part of a slice in a thread that runs no task."""
        if not self._advance(slice, act):
            self._lifecycle.settle(slice.claim.run_id)

    def _write_answer(self, sent: Attempt, answer: Answer) -> _Step:
        """Record a receiver's answer."""
        if answer.cancelled():
            # The next slice sends it again under the same id; it does not count as a failed attempt.
            self._yield(sent.claim)
            return _Step.GIVEN_BACK
        try:
            status_code = answer.result()
        except DeliveryError as error:
            return _to_step(self._outcomes.fail(sent, error))
        failpoints.hit(Failpoint.BEFORE_DELIVERED)
        self._outcomes.succeed(sent, status_code)
        return _Step.OVER

    def _count_event(self, slice: _Slice) -> bool:
        """Count an event; whether the slice ends with it, and its unit was given back."""
        slice.steps += 1
        is_over = slice.steps == self._settings.slice_pages or self._is_late(slice)
        if is_over:
            self._yield(slice.claim)
        return is_over

    def _is_late(self, slice: _Slice) -> bool:
        return self._clock.now().timestamp() >= slice.deadline or self._worker_context.is_stopping()

    def _break_off(self, claim: Claim, error: Exception) -> None:
        """Retry the unit by its timer, later each time, until it counts as poison."""
        self._units.hand_back(claim, wake_seconds=min(2.0**claim.attempts, 30.0) - 1.0, end=SpellEnd.RETRY)
        if isinstance(error, StoreUnavailableError):
            raise error
        logger.error("work on a run's deliveries broke", exc_info=error, extra={"run_id": claim.run_id})
        self._lifecycle.record_broken_task(claim.run_id, type(error).__name__, is_start=False)

    def _dispatch_waiting(self, claim: Claim) -> None:
        """Dispatch the units that wait for a webhook which has as many deliveries under way as it may."""
        if claim.is_crowded and claim.webhook_id is not None:
            most = self._settings.deliveries_per_webhook
            waiting = self._units.take_next_of_webhook(claim.webhook_id, most_of_webhook=most)
            self._worker_context.dispatcher.dispatch(waiting)

    def _yield(self, claim: Claim) -> None:
        if self._units.hand_back(claim):
            run = self._load_run(claim.run_id)
            if run is not None:
                self._worker_context.dispatcher.dispatch([_build_wake_up(claim, run)])


def _to_step(is_over: bool) -> _Step:
    return _Step.OVER if is_over else _Step.GIVEN_BACK


def _build_wake_up(claim: Claim, run: SyncJobRun) -> WakeUp:
    return WakeUp(run_id=run.id, unit_id=claim.unit_id, queue=daemons.name_queue(run.daemon_group_key))
