"""How an event of a run ends, or goes on: tried again, given up, parted, quarantined; and what its run makes of it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from app.engine.errors import DeliveryError
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import Claim, ErrorDraft, EventDraft, PendingEvent, WakeUp, draft_error
from app.engine.status import DeliveryStatus, ErrorHandling
from app.engine.webhooks import events
from app.engine.webhooks import parts as event_parts
from app.services.units.worker_context import WorkerContext
from app.services.webhooks.health import WebhookHealth

RETRY_BASE_SECONDS: Final = 0.5
RETRY_CAP_SECONDS: Final = 300.0


class DeliveryWriter(Protocol):
    """Writes what becomes of a run's events, under its delivery unit's lease."""

    def settle(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None,
        error: str | None,
        lease_seconds: float,
        backlog_limit: int,
    ) -> list[WakeUp]:
        """Write an event's end; list the units that may fetch again."""

    def split(
        self,
        claim: Claim,
        event: PendingEvent,
        parts: Sequence[EventDraft],
        *,
        status_code: int | None,
        error: str,
        lease_seconds: float,
    ) -> None:
        """Put an event's parts into its place in the line."""

    def failed_attempt(self, event: PendingEvent, *, status_code: int | None, error: str) -> None:
        """Write down why an attempt failed."""


class Leases(Protocol):
    """Gives back the lease of a unit."""

    def hand_back(self, claim: Claim, *, wake_seconds: float = ...) -> bool:
        """Give the lease up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOutcomes:
    """What a delivery's end may lead to beyond its own row."""

    fail_run: Callable[[str, ErrorDraft], None]
    record_error: Callable[[str, ErrorDraft], None]


class DeliveryEnds:
    """Decides and writes how events end."""

    def __init__(
        self,
        *,
        queue: DeliveryWriter,
        leases: Leases,
        health: WebhookHealth,
        outcomes: DeliveryOutcomes,
        worker_context: WorkerContext,
    ) -> None:
        self._queue = queue
        self._leases = leases
        self._health = health
        self._outcomes = outcomes
        self._dispatcher = worker_context.dispatcher
        self._clock = worker_context.clock
        self._settings = worker_context.settings

    @property
    def fail_run(self) -> Callable[[str, ErrorDraft], None]:
        """End a run as failed."""
        return self._outcomes.fail_run

    def write(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None = None,
        error: str | None = None,
    ) -> None:
        """Write an event's end, and ring for the units that it held back."""
        wake_ups = self._queue.settle(
            claim,
            event,
            end,
            status_code=status_code,
            error=error,
            lease_seconds=self._settings.lease_seconds,
            backlog_limit=self._settings.delivery_backlog,
        )
        self._dispatcher.dispatch(wake_ups)

    def fail(
        self,
        claim: Claim,
        run: SyncJobRun,
        event: PendingEvent,
        error: DeliveryError,
        *,
        webhook: Webhook | None = None,
    ) -> bool:
        """Note that an attempt failed; True when the event is out of the way, False when its unit was given back.

        Without the webhook nothing was sent.
        """
        if event.event == events.STARTED and error.status == HTTPStatus.BAD_REQUEST:
            self.abort(claim, event, error, code="aborted_by_receiver")
            return True
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._shrink(claim, run, event, error)
            return True
        if webhook is not None:
            self._health.note_failure(webhook, error)
        age = (self._clock.now() - event.created_at).total_seconds()
        if age < self._settings.delivery_retention_seconds and not error.is_final:
            self._retry_later(claim, event, error)
            return False
        code = error.code if error.is_final else "undelivered"
        self._give_up(claim, run, event, error, code, f"{event.event} was given up after {age:.0f} s: {error.message}")
        return True

    def abort(self, claim: Claim, event: PendingEvent, error: DeliveryError, *, code: str = "unworkable") -> None:
        """Fail the run, unless it has ended, and give the event up."""
        # In this order: giving the event up lets the units go that wait for it.
        self._outcomes.fail_run(claim.run_id, draft_error(code, error.message, at=self._clock.now()))
        self.write(claim, event, DeliveryStatus.DEAD_LETTERED, status_code=error.status, error=error.message)

    def _shrink(self, claim: Claim, run: SyncJobRun, event: PendingEvent, error: DeliveryError) -> None:
        """Send in parts what a receiver refuses as too large; what can not be parted gets out of the others' way."""
        if parts := event_parts.split_event(event):
            self._queue.split(
                claim,
                event,
                parts,
                status_code=error.status,
                error=error.message,
                lease_seconds=self._settings.lease_seconds,
            )
            return
        message = f"one {event.event} of {len(event.body)} bytes is more than its receiver takes: {error.message}"
        end = DeliveryStatus.QUARANTINED if event.records else DeliveryStatus.DEAD_LETTERED
        details = {"delivery_id": event.id, "bytes": len(event.body), **event_parts.read_origin(event)}
        self._give_up(claim, run, event, error, "too_large", message, end=end, details=details)

    def _give_up(
        self,
        claim: Claim,
        run: SyncJobRun,
        event: PendingEvent,
        error: DeliveryError,
        code: str,
        message: str,
        *,
        end: DeliveryStatus = DeliveryStatus.DEAD_LETTERED,
        details: JsonObject | None = None,
    ) -> None:
        ends_run = run.error_handling is ErrorHandling.FAIL_FAST or event.event == events.STARTED
        draft = draft_error(code, message, at=self._clock.now(), details=details)
        (self._outcomes.fail_run if ends_run else self._outcomes.record_error)(run.id, draft)
        self.write(claim, event, end, status_code=error.status, error=error.message)

    def _retry_later(self, claim: Claim, event: PendingEvent, error: DeliveryError) -> None:
        self._queue.failed_attempt(event, status_code=error.status, error=error.message)
        self._leases.hand_back(claim, wake_seconds=max(pause_seconds(event, error), 0.1))


def pause_seconds(event: PendingEvent, error: DeliveryError) -> float:
    """Choose how long an event waits after one more attempt that failed."""
    pause = retry.draw_backoff(event.attempts + 1, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS, random.random)
    return max(pause, error.retry_after_seconds or 0.0)
