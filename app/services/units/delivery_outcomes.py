"""How an event of a run ends, or continues: retried, given up, split, quarantined; and what that does to its run."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from app.engine.errors import DeliveryError
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import Claim, ErrorDraft, PendingEvent, draft_error
from app.engine.status import DeliveryStatus, ErrorHandling
from app.engine.webhooks import events
from app.engine.webhooks import parts as event_parts
from app.services.runs.lifecycle import RunLifecycle
from app.services.units.ports import Deliveries, Units, WorkerContext
from app.services.webhooks.health import WebhookHealth

RETRY_BASE_SECONDS: Final = 0.5
RETRY_CAP_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to send an event of a run, by the lease of its delivery unit."""

    claim: Claim
    run: SyncJobRun
    event: PendingEvent
    webhook: Webhook | None = None
    """Whom it was sent to; None where nothing was sent."""


class DeliveryOutcomes:
    """Decides and writes how events end."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        units: Units,
        health: WebhookHealth,
        lifecycle: RunLifecycle,
        worker_context: WorkerContext,
    ) -> None:
        self._deliveries = deliveries
        self._units = units
        self._health = health
        self._lifecycle = lifecycle
        self._dispatcher = worker_context.dispatcher
        self._clock = worker_context.clock
        self._settings = worker_context.settings

    def write(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None = None,
        error: str | None = None,
    ) -> None:
        """Write the final status of an event, and dispatch the units that it held back."""
        wake_ups = self._deliveries.settle(
            claim,
            event,
            end,
            status_code=status_code,
            error=error,
            lease_seconds=self._settings.lease_seconds,
            backlog_limit=self._settings.delivery_backlog,
        )
        self._dispatcher.dispatch(wake_ups)

    def succeed(self, sent: Attempt, status_code: int) -> None:
        """Record that a receiver has accepted an event."""
        assert sent.webhook is not None
        self._health.record_success(sent.webhook)
        self.write(sent.claim, sent.event, DeliveryStatus.DELIVERED, status_code=status_code)

    def fail(self, attempt: Attempt, error: DeliveryError) -> bool:
        """Handle a failed attempt; True when the event is out of the way, False when its unit was given back."""
        event = attempt.event
        if event.event == events.STARTED and error.status == HTTPStatus.BAD_REQUEST:
            self.abort(attempt, error, code="aborted_by_receiver")
            return True
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._shrink(attempt, error)
            return True
        if attempt.webhook is not None:
            self._health.record_failure(attempt.webhook, error)
        age = (self._clock.now() - event.created_at).total_seconds()
        if age < self._settings.delivery_retention_seconds and not error.is_final:
            self._deliveries.record_failed_attempt(event, status_code=error.status, error=error.message)
            wake_seconds = max(pause_seconds(event, error), 0.1)
            self._units.hand_back(attempt.claim, wake_seconds=wake_seconds, end=SpellEnd.RECEIVER)
            return False
        code = error.code if error.is_final else "undelivered"
        message = f"{event.event} was given up after {age:.0f} s: {error.message}"
        self._give_up(attempt, error, self._draft(code, message), DeliveryStatus.DEAD_LETTERED)
        return True

    def abort(self, attempt: Attempt, error: DeliveryError, *, code: str = "unworkable") -> None:
        """Fail the run, unless it has ended, and give the event up."""
        # In this order: giving the event up lets the units go that wait for it.
        self._lifecycle.fail(attempt.run.id, self._draft(code, error.message))
        self._write_failure(attempt, DeliveryStatus.DEAD_LETTERED, error)

    def _shrink(self, attempt: Attempt, error: DeliveryError) -> None:
        """Split what a receiver refuses as too large; what can not be split is set aside, so that the others go on."""
        event = attempt.event
        if parts := event_parts.split_event(event):
            self._deliveries.split(
                attempt.claim,
                event,
                parts,
                status_code=error.status,
                error=error.message,
                lease_seconds=self._settings.lease_seconds,
            )
            return
        message = f"one {event.event} of {len(event.body)} bytes is more than its receiver takes: {error.message}"
        details = {"delivery_id": event.id, "bytes": len(event.body), **event_parts.read_origin(event)}
        end = DeliveryStatus.QUARANTINED if event.records else DeliveryStatus.DEAD_LETTERED
        self._give_up(attempt, error, self._draft("too_large", message, details), end)

    def _give_up(self, attempt: Attempt, error: DeliveryError, draft: ErrorDraft, end: DeliveryStatus) -> None:
        run, is_start = attempt.run, attempt.event.event == events.STARTED
        ends_run = run.error_handling is ErrorHandling.FAIL_FAST or is_start
        (self._lifecycle.fail if ends_run else self._lifecycle.record_error)(run.id, draft)
        self._write_failure(attempt, end, error)

    def _write_failure(self, attempt: Attempt, end: DeliveryStatus, error: DeliveryError) -> None:
        self.write(attempt.claim, attempt.event, end, status_code=error.status, error=error.message)

    def _draft(self, code: str, message: str, details: JsonObject | None = None) -> ErrorDraft:
        return draft_error(code, message, at=self._clock.now(), details=details)


def pause_seconds(event: PendingEvent, error: DeliveryError) -> float:
    """Return how long an event waits after one more attempt that failed."""
    pause = retry.draw_backoff(event.attempts + 1, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS)
    return max(pause, error.retry_after_seconds or 0.0)
