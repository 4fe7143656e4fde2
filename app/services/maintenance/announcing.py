"""Send events that belong to no run, such as that of a trigger which could make none; the leader does it, by and by.

Nothing here waits for a receiver, and no receiver has others wait: each webhook has as many events under way as it may,
and what is under way is nobody else's until its lease ends. A leader that dies leaves its events to the next one, which
sends them again under the same ids once those leases have ended.
"""

import logging
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

from app.engine.errors import DeliveryError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import PendingEvent
from app.engine.status import DeliveryStatus
from app.services.ports import Clock
from app.services.units.delivery_ends import pause_seconds
from app.services.units.sending import Answer, Sending
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings

logger = logging.getLogger(__name__)

MOST_TAKEN: Final = 200
"""At each sweep."""
_NO_ROOM_SECONDS: Final = 2.0
"""So long others go first."""
_MARGIN_SECONDS: Final = 15.0
"""A lease outlives its delivery by so much, to be written down in."""


class Announcements(Protocol):
    """The events of no run that wait."""

    def take_due(
        self, *, limit: int, most_of_webhook: int, lease_seconds: float
    ) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        """Take some whose time has come for so long, in turn over their webhooks, each with its environment.

        None is that of one whose webhook was deleted.
        """

    def settle(self, event_id: str, end: DeliveryStatus, *, status_code: int | None, error: str | None) -> None:
        """Write an event's end."""

    def failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        """Write down why an attempt failed; the event is due again later."""

    def release(self, event_id: str, *, wake_seconds: float) -> None:
        """Give an event back that nobody has sent; it is due again later."""


class Announcing:
    """Sends what waits."""

    def __init__(
        self,
        *,
        announcements: Announcements,
        health: WebhookHealth,
        sending: Sending,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._announcements = announcements
        self._health = health
        self._sending = sending
        self._clock = clock
        self._settings = settings

    def send_due(self) -> None:
        """Send what is due; what is answered is written down as it comes."""
        taken = self._announcements.take_due(
            limit=MOST_TAKEN,
            most_of_webhook=self._settings.deliveries_per_webhook,
            lease_seconds=self._settings.delivery_timeout_seconds + _MARGIN_SECONDS,
        )
        for environment_id, event in taken:
            try:
                self._send(environment_id, event)
            except Exception as error:
                # One that can not be handled keeps none of the others from its turn.
                logger.exception("an event of no run could not be sent", extra={"delivery_id": event.id})
                self._fail(event, DeliveryError(f"it could not be sent: {type(error).__name__}"))

    def _send(self, environment_id: EnvironmentId | None, event: PendingEvent) -> None:
        try:
            webhook = environment_id and self._health.receiver(environment_id, event.webhook_id)
        except DeliveryError as error:
            self._fail(event, error)
            return
        if not webhook:
            self._give_up(event, DeliveryError(f"webhook '{event.webhook_id}' was deleted"))
            return
        place = self._sending.reserve(webhook)
        if place is None:
            self._announcements.release(event.id, wake_seconds=_NO_ROOM_SECONDS)
        elif answer := place.send(event.id, event.body, partial(self._take, webhook, event)):
            self._take(webhook, event, answer)

    def _take(self, webhook: Webhook, event: PendingEvent, answer: Answer) -> None:
        """Write down what a receiver has answered."""
        if answer.cancelled():
            self._announcements.release(event.id, wake_seconds=0.0)
            return
        try:
            status_code = answer.result()
        except DeliveryError as error:
            if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                self._health.note_failure(webhook, error)
            self._fail(event, error)
        else:
            self._health.note_success(webhook)
            self._announcements.settle(event.id, DeliveryStatus.DELIVERED, status_code=status_code, error=None)

    def _fail(self, event: PendingEvent, error: DeliveryError) -> None:
        age = (self._clock.now() - event.created_at).total_seconds()
        is_too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if error.is_final or is_too_large or age >= self._settings.delivery_retention_seconds:
            self._give_up(event, error)
            return
        self._announcements.failed_attempt(
            event.id, status_code=error.status, error=error.message, wake_seconds=pause_seconds(event, error)
        )

    def _give_up(self, event: PendingEvent, error: DeliveryError) -> None:
        self._announcements.settle(
            event.id, DeliveryStatus.DEAD_LETTERED, status_code=error.status, error=error.message
        )
