"""The health of webhooks: one that has failed for too long, or answers that it is gone for good, is disabled.

Every delivery counts, of runs and of none: who subscribes to few events must not fail unnoticed.
"""

import logging
from http import HTTPStatus

from app.engine.errors import DeliveryError, UnreadableSecretError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks import events
from app.services.ports import Clock
from app.services.webhooks.ports import WebhookStore
from app.settings import Settings

logger = logging.getLogger(__name__)


class WebhookHealth:
    """Finds webhooks that can be sent to, and records what came of it."""

    def __init__(self, *, webhooks: WebhookStore, clock: Clock, settings: Settings) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._settings = settings

    def find_receiver(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Find the webhook to send to; None was deleted. Raise DeliveryError while nothing can be sent to it."""
        try:
            webhook = self._webhooks.get(environment_id, webhook_id)
        except UnreadableSecretError as error:
            message = f"the signing secret of webhook '{webhook_id}' does not decrypt: {error.message}"
            raise DeliveryError(message) from error
        if webhook is not None and not webhook.is_active:
            raise DeliveryError(f"webhook '{webhook_id}' is not active")
        return webhook

    def record_success(self, webhook: Webhook) -> None:
        """Record that a receiver took a delivery."""
        if webhook.failing_since is not None:
            self._webhooks.note_success(webhook.id)

    def record_failure(self, webhook: Webhook, error: DeliveryError) -> None:
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
