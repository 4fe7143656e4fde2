"""What webhooks and their deliveries need of the store, each as a role."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery, Webhook
from app.engine.runs.work import WakeUp
from app.services.crud import Store
from app.services.ports import Announcement


class WebhookStore(Store[Webhook], Protocol):
    """Stores webhooks, each made with its ``secret``, and their health.

    ``get`` raises UnreadableSecretError when the secret does not decrypt.
    """

    def inspect(self, environment_id: EnvironmentId, id: str, /) -> Webhook | None:
        """Return a webhook for its owner, whether or not its secret decrypts."""

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        """Replace the secret; the present one signs too for a while. Raise ConflictError if another call was first."""

    def record_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        """Record a failed delivery; disable a webhook that has failed for so long, and return whether it was disabled.

        The events of ``announce`` are written with it, as events of no run: no run waits for their receivers.
        """

    def record_success(self, webhook_id: str) -> None:
        """Record that a receiver took a delivery."""


class DeliveryStore(Protocol):
    """Stores deliveries."""

    def list(self, webhook_id: str, filters: ListFilters) -> Page[Delivery]:
        """Read a page of a webhook's deliveries, without their bodies."""

    def get(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Read one delivery with its body."""

    def retry(self, webhook_id: str, delivery_id: str) -> Sequence[WakeUp] | None:
        """Make a delivery pending and due; return the unit to dispatch, if it is a run's.

        None when it has no body left, or was split.
        """

    def wake_all(self, webhook_id: str) -> Sequence[WakeUp]:
        """Make due at once whatever waits for a webhook; return the units to dispatch."""
