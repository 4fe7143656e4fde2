"""Work on a delivery unit: send the run's events to its webhook one after the other, each until it is answered 2xx."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from app import failpoints
from app.engine import events, retry, routing
from app.engine.errors import DeliveryError, LeaseLostError
from app.engine.ids import new_id
from app.engine.objects import EnvironmentId, SyncJobRun, Webhook
from app.engine.status import ErrorHandling
from app.engine.work import Claim, ErrorDraft, EventDraft, PendingEvent, Ring, SliceOutcome
from app.failpoints import Failpoint
from app.services.ports import WebhookSender
from app.services.run_context import RunReader
from app.services.workplace import Workplace

logger = logging.getLogger(__name__)

RETRY_BASE_SECONDS = 0.5
RETRY_CAP_SECONDS = 300.0
_POLL_SECONDS = 0.25


Announcement = Callable[[Sequence[str]], Sequence[EventDraft]]
"""Makes the events that tell the webhooks of these ids."""


class _LeavingError(Exception):
    """The daemon was told to go, and has waited for this receiver for long enough."""


class Webhooks(Protocol):
    """Reads webhooks, secrets included, and keeps how they fare."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook."""

    def note_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        """Note that a delivery of a run failed; disable a webhook that has failed for so long, and tell so.

        The announcement is written with it, as events of no run: this one does not wait for others' receivers.
        """

    def note_success(self, webhook_id: str) -> None:
        """Note that a delivery was taken."""


class DeliveryQueue(Protocol):
    """The events of a run that wait, under its delivery unit's lease."""

    def next_event(self, run_id: str) -> PendingEvent | None:
        """Find the oldest."""

    def settle(
        self,
        claim: Claim,
        event: PendingEvent,
        *,
        delivered: bool,
        status_code: int | None,
        error: str | None,
        lease_seconds: float,
        backlog_limit: int,
    ) -> list[Ring]:
        """Write an event's end; list the units that may fetch again."""

    def failed_attempt(self, event: PendingEvent, *, status_code: int | None, error: str) -> None:
        """Write down why an attempt failed."""

    def go_idle(self, claim: Claim, *, run_is_final: bool, lease_seconds: float) -> bool:
        """Give the unit up when nothing is left to send."""


class Leases(Protocol):
    """Keeps and gives back the lease of a unit."""

    def hold(self, claim: Claim, *, lease_seconds: float) -> None:
        """Prolong the lease; raise LeaseLostError when it is gone."""

    def hand_back(self, claim: Claim, *, wake_seconds: float = ..., has_failed: bool = ...) -> bool:
        """Give the lease up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOutcomes:
    """What a delivery's end may lead to beyond its own row."""

    fail_run: Callable[[str, ErrorDraft], None]
    record_error: Callable[[str, ErrorDraft], None]


class DeliveryWorker:
    """Works on delivery units, one slice at a time."""

    def __init__(
        self,
        *,
        runs: RunReader,
        webhooks: Webhooks,
        queue: DeliveryQueue,
        leases: Leases,
        sender: WebhookSender,
        outcomes: DeliveryOutcomes,
        workplace: Workplace,
    ) -> None:
        self._runs = runs
        self._webhooks = webhooks
        self._queue = queue
        self._leases = leases
        self._sender = sender
        self._outcomes = outcomes
        self._workplace = workplace
        self._clock = workplace.clock
        self._settings = workplace.settings

    def work(self, claim: Claim) -> SliceOutcome:
        """Send until nothing waits, an attempt fails, or the slice is over."""
        deadline = self._clock.now().timestamp() + self._settings.slice_seconds
        steps = 0
        try:
            while self._step(claim):
                steps += 1
                is_over = self._clock.now().timestamp() >= deadline or steps == self._settings.slice_pages
                if is_over or self._workplace.is_stopping():
                    self._yield(claim)
                    break
        except LeaseLostError:
            pass
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def give_up_head(self, claim: Claim, error: ErrorDraft) -> SliceOutcome:
        """Give up the event that no daemon has survived sending, fail the run, and go on with the next."""
        event = self._queue.next_event(claim.run_id)
        self._outcomes.fail_run(claim.run_id, error)
        try:
            if event is not None:
                self._end(claim, event, delivered=False, status_code=None, error=error.message)
            self._yield(claim)
        except LeaseLostError:
            pass
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _step(self, claim: Claim) -> bool:
        """Send the next event; False when the unit was given up."""
        run = self._runs.load(claim.run_id)
        if run is None:
            raise LeaseLostError
        event = self._queue.next_event(claim.run_id)
        if event is None:
            return not self._queue.go_idle(
                claim, run_is_final=run.status.is_final, lease_seconds=self._settings.lease_seconds
            )
        webhook = self._webhooks.get(run.environment_id, event.webhook_id)
        if webhook is None:
            return self._abort(
                claim, event, DeliveryError(f"webhook '{event.webhook_id}' was deleted"), code="unworkable"
            )
        if not webhook.is_active:
            return self._failed(
                claim, run, webhook, event, DeliveryError(f"webhook '{event.webhook_id}' is not active")
            )
        try:
            status_code = self._sent(claim, self._sender.submit(webhook, event.id, event.body))
        except DeliveryError as error:
            return self._failed(claim, run, webhook, event, error)
        except _LeavingError:
            # Whoever comes next sends it again under the same id; nobody counts it as a failed attempt.
            self._yield(claim)
            return False
        failpoints.hit(Failpoint.BEFORE_DELIVERED)
        if webhook.failing_since is not None:
            self._webhooks.note_success(webhook.id)
        self._end(claim, event, delivered=True, status_code=status_code, error=None)
        return True

    def _sent(self, claim: Claim, sending: "Future[int]") -> int:
        """Wait for the receiver's answer, keeping the lease; raise _LeavingError when the daemon has to go first."""
        held_at, leave_at = time.monotonic(), 0.0
        try:
            while True:
                try:
                    return sending.result(timeout=min(_POLL_SECONDS, self._settings.lease_seconds / 8))
                except FutureTimeoutError:
                    if sending.done():
                        raise
                now = time.monotonic()
                if self._workplace.is_stopping():
                    leave_at = leave_at or now + self._settings.stop_grace_seconds
                    if now >= leave_at:
                        raise _LeavingError
                if now >= held_at + self._settings.lease_seconds / 4:
                    self._leases.hold(claim, lease_seconds=self._settings.lease_seconds)
                    held_at = now
        finally:
            sending.cancel()

    def _failed(
        self, claim: Claim, run: SyncJobRun, webhook: Webhook, event: PendingEvent, error: DeliveryError
    ) -> bool:
        if event.event == events.STARTED and error.status == 400:
            return self._abort(claim, event, error, code="aborted_by_receiver")
        self._note_failure(webhook, error)
        age = (self._clock.now() - event.created_at).total_seconds()
        if age < self._settings.delivery_retention_seconds and not error.is_final:
            self._retry_later(claim, event, error)
            return False
        code = error.code if error.is_final else "undelivered"
        draft = self._draft(code, f"{event.event} was given up after {age:.0f} s: {error.message}")
        ends_run = run.error_handling is ErrorHandling.FAIL_FAST or event.event == events.STARTED
        (self._outcomes.fail_run if ends_run else self._outcomes.record_error)(run.id, draft)
        self._end(claim, event, delivered=False, status_code=error.status, error=error.message)
        return True

    def _note_failure(self, webhook: Webhook, error: DeliveryError) -> None:
        """Disable a webhook that has failed for days, or at once when its receiver answers that it is gone for good."""
        is_disabled = self._webhooks.note_failure(
            webhook.id,
            error.message,
            disable_after_seconds=0.0
            if error.status == HTTPStatus.GONE
            else self._settings.webhook_disable_after_seconds,
            announce=lambda others: events.webhook_disabled(webhook, error.message, to=others, at=self._clock.now()),
        )
        if is_disabled:
            logger.warning("a webhook was disabled", extra={"webhook_id": webhook.id, "status": error.status})

    def _abort(self, claim: Claim, event: PendingEvent, error: DeliveryError, *, code: str) -> bool:
        """Fail the run, unless it has ended, and give the event up."""
        # In this order: giving the event up lets the units go that wait for it.
        self._outcomes.fail_run(claim.run_id, self._draft(code, error.message))
        self._end(claim, event, delivered=False, status_code=error.status, error=error.message)
        return True

    def _retry_later(self, claim: Claim, event: PendingEvent, error: DeliveryError) -> None:
        self._queue.failed_attempt(event, status_code=error.status, error=error.message)
        pause = retry.backoff_seconds(event.attempts + 1, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS, random.random)
        self._leases.hand_back(claim, wake_seconds=max(pause, error.retry_after_seconds or 0.0, 0.1))

    def _end(
        self, claim: Claim, event: PendingEvent, *, delivered: bool, status_code: int | None, error: str | None
    ) -> None:
        rings = self._queue.settle(
            claim,
            event,
            delivered=delivered,
            status_code=status_code,
            error=error,
            lease_seconds=self._settings.lease_seconds,
            backlog_limit=self._settings.delivery_backlog,
        )
        self._workplace.bell.ring(rings)

    def _yield(self, claim: Claim) -> None:
        if self._leases.hand_back(claim):
            run = self._runs.load(claim.run_id)
            if run is not None:
                queue = routing.queue_of(run.daemon_group_key)
                self._workplace.bell.ring([Ring(run_id=run.id, unit_id=claim.unit_id, queue=queue)])

    def _draft(self, code: str, message: str) -> ErrorDraft:
        return ErrorDraft(
            id=new_id(), resource=None, method=None, code=code, message=message, details={}, at=self._clock.now()
        )
