"""Send events that belong to no run, such as that of a trigger which could create none: a duty of the leader.

Nothing here waits for a receiver, and no receiver makes others wait: the events in flight of each webhook are limited,
and each of them is leased. A leader that dies leaves its events to the next one, which sends them again under the same
ids once those leases have ended.
"""

import logging
from functools import partial
from http import HTTPStatus
from typing import Final

from app.engine.errors import DeliveryError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import PendingEvent
from app.engine.status import DeliveryStatus
from app.services.maintenance.ports import Announcements
from app.services.ports import Clock
from app.services.units.delivery_outcomes import pause_seconds
from app.services.units.delivery_pool import Answer, DeliveryPool
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings

logger = logging.getLogger(__name__)

MOST_TAKEN: Final = 200
"""At each sweep."""
_NO_ROOM_SECONDS: Final = 2.0
"""So long others go first."""
_MARGIN_SECONDS: Final = 15.0
"""A lease outlives its delivery by so much, to be written down in."""


class AnnouncementSender:
    """Sends the events of no run that wait."""

    def __init__(
        self,
        *,
        announcements: Announcements,
        health: WebhookHealth,
        pool: DeliveryPool,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._announcements = announcements
        self._health = health
        self._pool = pool
        self._clock = clock
        self._settings = settings

    def send_due(self) -> None:
        """Send what is due; each answer is recorded when it comes."""
        taken = self._announcements.take_due(
            limit=MOST_TAKEN,
            most_of_webhook=self._settings.deliveries_per_webhook,
            lease_seconds=self._settings.delivery_timeout_seconds + _MARGIN_SECONDS,
        )
        for environment_id, event in taken:
            try:
                self._send(environment_id, event)
            except Exception as error:
                # One that can not be handled does not delay the others.
                logger.exception("an event of no run could not be sent", extra={"delivery_id": event.id})
                self._fail(event, DeliveryError(f"it could not be sent: {type(error).__name__}"))

    def _send(self, environment_id: EnvironmentId | None, event: PendingEvent) -> None:
        try:
            webhook = environment_id and self._health.find_receiver(environment_id, event.webhook_id)
        except DeliveryError as error:
            self._fail(event, error)
            return
        if not webhook:
            self._give_up(event, DeliveryError(f"webhook '{event.webhook_id}' was deleted"))
            return
        place = self._pool.reserve(webhook)
        if place is None:
            self._announcements.release(event.id, wake_seconds=_NO_ROOM_SECONDS)
        elif answer := place.send(event.id, event.body, partial(self._take, webhook, event)):
            self._take(webhook, event, answer)

    def _take(self, webhook: Webhook, event: PendingEvent, answer: Answer) -> None:
        """Record a receiver's answer."""
        if answer.cancelled():
            self._announcements.release(event.id, wake_seconds=0.0)
            return
        try:
            status_code = answer.result()
        except DeliveryError as error:
            if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                self._health.record_failure(webhook, error)
            self._fail(event, error)
        else:
            self._health.record_success(webhook)
            self._announcements.settle(event.id, DeliveryStatus.DELIVERED, status_code=status_code, error=None)

    def _fail(self, event: PendingEvent, error: DeliveryError) -> None:
        age = (self._clock.now() - event.created_at).total_seconds()
        is_too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if error.is_final or is_too_large or age >= self._settings.delivery_retention_seconds:
            self._give_up(event, error)
            return
        self._announcements.record_failed_attempt(
            event.id, status_code=error.status, error=error.message, wake_seconds=pause_seconds(event, error)
        )

    def _give_up(self, event: PendingEvent, error: DeliveryError) -> None:
        self._announcements.settle(
            event.id, DeliveryStatus.DEAD_LETTERED, status_code=error.status, error=error.message
        )
