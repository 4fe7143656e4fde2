"""Send events that belong to no run, such as that of a trigger which could make none; the leader does it, by and by.

Nothing here waits for a receiver: what is under way is looked after at the next sweep. A leader that dies leaves its
events pending, and the next one sends them again under the same ids.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final, Protocol

from app.engine import retry
from app.engine.errors import DeliveryError
from app.engine.objects import EnvironmentId, Webhook
from app.engine.work import PendingEvent
from app.services.delivering import RETRY_BASE_SECONDS, RETRY_CAP_SECONDS
from app.services.duty_rows import DutyRows
from app.services.ports import Clock, WebhookSender
from app.settings import Settings

MOST_UNDER_WAY: Final = 20


class Announcements(Protocol):
    """The events of no run that wait."""

    def due(self, *, limit: int, skipped: Sequence[str] = ()) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        """List those whose time has come but for some, oldest first, each with its webhook's environment.

        None is that of a webhook which was deleted.
        """

    def settle(self, event_id: str, *, delivered: bool, status_code: int | None, error: str | None) -> None:
        """Write an event's end, delivered or given up."""

    def failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        """Write down why an attempt failed; the event is due again later."""


class WebhookReader(Protocol):
    """Reads webhooks, secrets included."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook."""


class Announcing:
    """Sends what waits."""

    def __init__(
        self,
        *,
        announcements: Announcements,
        webhooks: WebhookReader,
        sender: WebhookSender,
        clock: Clock,
        settings: Settings,
        monotonic: Callable[[], float],
    ) -> None:
        self._announcements = announcements
        self._webhooks = webhooks
        self._sender = sender
        self._clock = clock
        self._settings = settings
        self._rows = DutyRows("announcing", monotonic=monotonic)
        self._under_way: dict[str, tuple[PendingEvent, Future[int]]] = {}

    def send_due(self) -> None:
        """Note what has been answered, and send what is due."""
        for event, answer in list(self._under_way.values()):
            if answer.done():
                del self._under_way[event.id]
                self._handle(event, partial(self._note, event, answer))
        for environment_id, event in self._announcements.due(limit=MOST_UNDER_WAY, skipped=self._rows.skipped()):
            if event.id not in self._under_way and len(self._under_way) < MOST_UNDER_WAY:
                self._handle(event, partial(self._send, environment_id, event))

    def _handle(self, event: PendingEvent, act: Callable[[], None]) -> None:
        """Do something with an event; that it broke is written at it, and it is due again later."""
        self._rows.handle(event.id, act, tell=lambda why: self._fail(event, DeliveryError(why)))

    def _send(self, environment_id: EnvironmentId | None, event: PendingEvent) -> None:
        webhook = None if environment_id is None else self._webhooks.get(environment_id, event.webhook_id)
        if webhook is None:
            self._give_up(event, DeliveryError(f"webhook '{event.webhook_id}' was deleted"))
        elif not webhook.is_active:
            self._fail(event, DeliveryError(f"webhook '{event.webhook_id}' is not active"))
        else:
            self._under_way[event.id] = (event, self._sender.submit(webhook, event.id, event.body))

    def _note(self, event: PendingEvent, answer: "Future[int]") -> None:
        try:
            status_code = answer.result()
        except DeliveryError as error:
            self._fail(event, error)
        else:
            self._announcements.settle(event.id, delivered=True, status_code=status_code, error=None)

    def _fail(self, event: PendingEvent, error: DeliveryError) -> None:
        age = (self._clock.now() - event.created_at).total_seconds()
        if error.is_final or age >= self._settings.delivery_retention_seconds:
            self._give_up(event, error)
            return
        pause = retry.backoff_seconds(event.attempts + 1, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS, random.random)
        self._announcements.failed_attempt(
            event.id,
            status_code=error.status,
            error=error.message,
            wake_seconds=max(pause, error.retry_after_seconds or 0.0),
        )

    def _give_up(self, event: PendingEvent, error: DeliveryError) -> None:
        self._announcements.settle(event.id, delivered=False, status_code=error.status, error=error.message)
