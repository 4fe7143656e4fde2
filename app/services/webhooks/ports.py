"""What webhooks and their deliveries need of the store, each as a role."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery, Webhook
from app.engine.runs.work import WakeUp
from app.services.crud import UpdatableStore
from app.services.ports import Announcement


class WebhookStore(UpdatableStore[Webhook], Protocol):
    """Keeps webhooks and their health; ``get`` raises UnreadableSecretError when the secret does not decrypt."""

    def inspect(self, environment_id: EnvironmentId, id: str, /) -> Webhook | None:
        """Return a webhook for its owner, whether or not its secret decrypts."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON], *, secret: str) -> Webhook:
        """Write a new webhook."""

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        """Sign by another secret, for a while beside the present one; raise ConflictError when somebody was first."""

    def note_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        """Record a failed delivery; disable a webhook that has failed for so long, and return whether it was disabled.

        The events of ``announce`` are written with it, as events of no run: no run waits for their receivers.
        """

    def note_success(self, webhook_id: str) -> None:
        """Record that a receiver took a delivery."""


class DeliveryStore(Protocol):
    """Keeps deliveries."""

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
