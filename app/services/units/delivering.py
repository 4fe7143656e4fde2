"""Work on a delivery unit: send the run's events to its webhook one after the other, each until it is answered 2xx.

A slice holds its unit's lease, and no thread while a receiver takes its time: a thread hands an event over and leaves;
another one goes on with the answer (sending.py). So one event of a run is under way at most, in order, under one lease.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Protocol, TypeAlias

from app import failpoints
from app.engine.errors import DeliveryError, LeaseLostError, StoreUnavailableError
from app.engine.objects import daemons
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import NOTHING_DONE, Claim, ErrorDraft, PendingEvent, SliceOutcome, WakeUp, WorkFacts
from app.engine.status import DeliveryStatus
from app.failpoints import Failpoint
from app.services.contexts.context import RunReader
from app.services.units.batch_merging import BatchMerging
from app.services.units.delivery_ends import DeliveryEnds
from app.services.units.lease_keeping import LeaseKeeper
from app.services.units.sending import Answer, Place, Sending
from app.services.units.worker_context import WorkerContext
from app.services.webhooks.health import WebhookHealth

logger = logging.getLogger(__name__)

Note: TypeAlias = Callable[[WorkFacts], object]


class DeliveryQueue(Protocol):
    """The events of a run that wait, under its delivery unit's lease."""

    def next_event(self, run_id: str) -> PendingEvent | None:
        """Find the oldest."""

    def go_idle(self, claim: Claim, *, run_is_final: bool, lease_seconds: float) -> bool:
        """Give the unit up when nothing is left to send."""


class Leases(Protocol):
    """Gives back the lease of a unit, and knows who waits for it to end."""

    def hand_back(self, claim: Claim, *, wake_seconds: float = ..., has_failed: bool = ...) -> bool:
        """Give the lease up."""

    def next_of_webhook(self, webhook_id: str, *, most_of_webhook: int) -> list[WakeUp]:
        """Mark and list units that wait for a webhook, as many as may be under way beside those that are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterSlice:
    """What follows a slice that ended in no task."""

    settle: Callable[[str], None]
    """Looks whether the run has come to its end."""
    note_broken: Callable[[str, str], None]
    """Keeps that work on the run broke, by the name of the exception."""


def note_nothing(facts: WorkFacts) -> None:
    """Tell nobody what work is about."""


@dataclass(slots=True)
class _Slice:
    claim: Claim
    deadline: float
    note: Note = note_nothing
    """Told once, what the slice is about."""
    steps: int = 0
    place: Place | None = None
    """Where its present event is under way."""

    def cancel(self) -> None:
        if self.place is not None:
            self.place.cancel()

    def tell(self, run: SyncJobRun) -> None:
        note, self.note = self.note, note_nothing
        note(WorkFacts(run_id=run.id, account_id=run.integrated_account_id, what=f"events to webhook {run.webhook_id}"))


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
        runs: RunReader,
        health: WebhookHealth,
        queue: DeliveryQueue,
        leases: Leases,
        keeper: LeaseKeeper,
        sending: Sending,
        ends: DeliveryEnds,
        merging: BatchMerging,
        after: AfterSlice,
        worker_context: WorkerContext,
    ) -> None:
        self._runs = runs
        self._health = health
        self._queue = queue
        self._leases = leases
        self._keeper = keeper
        self._sending = sending
        self._ends = ends
        self._merging = merging
        self._after = after
        self._worker_context = worker_context
        self._clock = worker_context.clock
        self._settings = worker_context.settings

    def work(self, claim: Claim, *, note: Note = note_nothing) -> SliceOutcome:
        """Send until nothing waits, an attempt fails, the slice is over, or a receiver takes its time.

        Then nothing is done yet, and the slice goes on by itself.
        """
        slice = _Slice(claim, self._clock.now().timestamp() + self._settings.slice_seconds, note)
        self._keeper.keep(claim, on_lost=slice.cancel)
        is_under_way = self._advance(slice, partial(self._send_on, slice))
        return NOTHING_DONE if is_under_way else SliceOutcome(run_id=claim.run_id, may_settle=True)

    def give_up_head(self, claim: Claim, error: ErrorDraft) -> SliceOutcome:
        """Give up the event that no daemon has survived sending, fail the run, and go on with the next."""
        event = self._queue.next_event(claim.run_id)
        self._ends.fail_run(claim.run_id, error)
        try:
            if event is not None:
                self._ends.write(claim, event, DeliveryStatus.DEAD_LETTERED, error=error.message)
            self._yield(claim)
        except LeaseLostError:
            pass
        self._pass_on(claim)
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _advance(self, slice: _Slice, act: Callable[[], bool]) -> bool:
        """Do the next part of a slice, and end it unless an event is under way; tell whether one is."""
        is_under_way = False
        try:
            is_under_way = act()
        except LeaseLostError:
            pass
        except Exception as error:
            self._break_off(slice.claim, error)
        finally:
            if not is_under_way:
                self._keeper.release(slice.claim)
        if not is_under_way:
            self._pass_on(slice.claim)
        return is_under_way

    def _send_on(self, slice: _Slice) -> bool:
        """Send event after event, until one is under way; False when the unit was given up."""
        claim = slice.claim
        while True:
            run = self._runs.load(claim.run_id)
            if run is None:
                raise LeaseLostError
            slice.tell(run)
            event = self._queue.next_event(claim.run_id)
            if event is None:
                if self._queue.go_idle(
                    claim, run_is_final=run.status.is_final, lease_seconds=self._settings.lease_seconds
                ):
                    return False
                continue
            step = self._merge_and_send(slice, run, event)
            if step is not _Step.OVER:
                return step is _Step.UNDER_WAY
            if self._is_over(slice):
                self._yield(claim)
                return False

    def _merge_and_send(self, slice: _Slice, run: SyncJobRun, event: PendingEvent) -> _Step:
        """Send what is next, once batches that wait behind it are merged with it."""
        if self._merging.may_merge(event):
            if pause := self._merging.pause_seconds(slice.claim, event):
                return self._linger(slice, pause)
            self._merging.merge(slice.claim, event)
            merged = self._queue.next_event(slice.claim.run_id)
            if merged is None:
                return _Step.OVER
            event = merged
        return self._send(slice, run, event)

    def _linger(self, slice: _Slice, seconds: float) -> _Step:
        """Wait for more records, which holds no thread."""
        if self._is_late(slice):
            self._yield(slice.claim)
            return _Step.GIVEN_BACK
        self._sending.later(seconds, partial(self._resume, slice, partial(self._send_on, slice)))
        return _Step.UNDER_WAY

    def _send(self, slice: _Slice, run: SyncJobRun, event: PendingEvent) -> _Step:
        try:
            webhook = self._health.receiver(run.environment_id, event.webhook_id)
        except DeliveryError as error:
            return _step(self._ends.fail(slice.claim, run, event, error))
        if webhook is None:
            self._ends.abort(slice.claim, event, DeliveryError(f"webhook '{event.webhook_id}' was deleted"))
            return _Step.OVER
        slice.place = self._sending.reserve(webhook)
        if slice.place is None:
            self._wait_for_room(slice.claim, run, webhook)
            return _Step.GIVEN_BACK
        answer = slice.place.send(event.id, event.body, partial(self._go_on, slice, run, webhook, event))
        return _Step.UNDER_WAY if answer is None else self._take(slice.claim, run, webhook, event, answer)

    def _go_on(self, slice: _Slice, run: SyncJobRun, webhook: Webhook, event: PendingEvent, answer: Answer) -> None:
        """Go on with a slice whose receiver has answered, in a thread that is nobody's task."""

        def act() -> bool:
            if self._take(slice.claim, run, webhook, event, answer) is not _Step.OVER:
                return False
            if self._is_over(slice):
                self._yield(slice.claim)
                return False
            return self._send_on(slice)

        self._resume(slice, act)

    def _resume(self, slice: _Slice, act: Callable[[], bool]) -> None:
        """Do the next part of a slice in a thread that is nobody's task."""
        if not self._advance(slice, act):
            self._after.settle(slice.claim.run_id)

    def _take(self, claim: Claim, run: SyncJobRun, webhook: Webhook, event: PendingEvent, answer: Answer) -> _Step:
        """Write down what a receiver has answered."""
        if answer.cancelled():
            # Whoever comes next sends it again under the same id; nobody counts it as a failed attempt.
            self._yield(claim)
            return _Step.GIVEN_BACK
        try:
            status_code = answer.result()
        except DeliveryError as error:
            return _step(self._ends.fail(claim, run, event, error, webhook=webhook))
        failpoints.hit(Failpoint.BEFORE_DELIVERED)
        self._health.note_success(webhook)
        self._ends.write(claim, event, DeliveryStatus.DELIVERED, status_code=status_code)
        return _Step.OVER

    def _is_over(self, slice: _Slice) -> bool:
        """Count an event, and tell whether the slice ends with it."""
        slice.steps += 1
        return slice.steps == self._settings.slice_pages or self._is_late(slice)

    def _is_late(self, slice: _Slice) -> bool:
        return self._clock.now().timestamp() >= slice.deadline or self._worker_context.is_stopping()

    def _break_off(self, claim: Claim, error: Exception) -> None:
        """Have the unit come back by its timer, later each time, until it counts as poison."""
        self._leases.hand_back(claim, wake_seconds=claim.retry_seconds, has_failed=True)
        if isinstance(error, StoreUnavailableError):
            raise error
        logger.error("work on a run's deliveries broke", exc_info=error, extra={"run_id": claim.run_id})
        self._after.note_broken(claim.run_id, type(error).__name__)

    def _pass_on(self, claim: Claim) -> None:
        """Ring for those who wait for a webhook that has as many deliveries under way as it may."""
        if claim.is_crowded and claim.webhook_id is not None:
            most = self._settings.deliveries_per_webhook
            self._worker_context.dispatcher.dispatch(
                self._leases.next_of_webhook(claim.webhook_id, most_of_webhook=most)
            )

    def _wait_for_room(self, claim: Claim, run: SyncJobRun, webhook: Webhook) -> None:
        if self._leases.hand_back(claim):
            self._sending.wait(webhook, _dispatch(claim, run))

    def _yield(self, claim: Claim) -> None:
        if self._leases.hand_back(claim):
            run = self._runs.load(claim.run_id)
            if run is not None:
                self._worker_context.dispatcher.dispatch([_dispatch(claim, run)])


def _step(is_over: bool) -> _Step:
    return _Step.OVER if is_over else _Step.GIVEN_BACK


def _dispatch(claim: Claim, run: SyncJobRun) -> WakeUp:
    return WakeUp(run_id=run.id, unit_id=claim.unit_id, queue=daemons.name_queue(run.daemon_group_key))
