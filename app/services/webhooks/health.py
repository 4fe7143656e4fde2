"""How webhooks fare: which has failed for so long, or told that it is gone for good, that it is switched off.

Every delivery says so, of runs and of none: who subscribes to few events must not fail unnoticed.
"""

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from app.engine.errors import DeliveryError, UnreadableSecretError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import EventDraft
from app.engine.webhooks import events
from app.services.ports import Clock
from app.settings import Settings

logger = logging.getLogger(__name__)

Announcement = Callable[[Sequence[str]], Sequence[EventDraft]]
"""Makes the events that tell the webhooks of these ids."""


class Webhooks(Protocol):
    """Reads webhooks, secrets included, and keeps how they fare."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook; raise UnreadableSecretError when its secret does not decrypt."""

    def note_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        """Note that a delivery failed; disable a webhook that has failed for so long, and tell so.

        The announcement is written with it, as events of no run: this one does not wait for others' receivers.
        """

    def note_success(self, webhook_id: str) -> None:
        """Note that a delivery was taken."""


class WebhookHealth:
    """Finds who can be sent to, and notes what came of it."""

    def __init__(self, *, webhooks: Webhooks, clock: Clock, settings: Settings) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._settings = settings

    def receiver(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Find the webhook to send to; None was deleted. Raise DeliveryError while nothing can be sent to it."""
        try:
            webhook = self._webhooks.get(environment_id, webhook_id)
        except UnreadableSecretError as error:
            message = f"the signing secret of webhook '{webhook_id}' does not decrypt: {error.message}"
            raise DeliveryError(message) from error
        if webhook is not None and not webhook.is_active:
            raise DeliveryError(f"webhook '{webhook_id}' is not active")
        return webhook

    def note_success(self, webhook: Webhook) -> None:
        """Note that a delivery was taken."""
        if webhook.failing_since is not None:
            self._webhooks.note_success(webhook.id)

    def note_failure(self, webhook: Webhook, error: DeliveryError) -> None:
        """Disable a webhook that has failed for days, or at once when its receiver answers that it is gone for good."""
        patience = 0.0 if error.status == HTTPStatus.GONE else self._settings.webhook_disable_after_seconds
        is_disabled = self._webhooks.note_failure(
            webhook.id,
            error.message,
            disable_after_seconds=patience,
            announce=lambda others: events.draft_webhook_disabled(
                webhook, error.message, to=others, at=self._clock.now()
            ),
        )
        if is_disabled:
            logger.warning("a webhook was disabled", extra={"webhook_id": webhook.id, "status": error.status})
