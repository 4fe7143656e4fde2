"""The deliveries of a webhook: what was sent, what waits and why, and how to send it again."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.errors import ConflictError, NotFoundError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery, Webhook
from app.engine.runs.work import WakeUp
from app.engine.status import DeliveryStatus
from app.services.ports import Dispatcher


class DeliveryStore(Protocol):
    """Keeps deliveries."""

    def list(self, webhook_id: str, filters: ListFilters) -> Page[Delivery]:
        """Read a page of a webhook's deliveries, without their bodies."""

    def get(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Read one delivery with its body."""

    def retry(self, webhook_id: str, delivery_id: str) -> Sequence[WakeUp] | None:
        """Make a delivery pending and due; list the unit to ring, if it is a run's.

        None when it has no body left, or was split.
        """

    def wake_all(self, webhook_id: str) -> Sequence[WakeUp]:
        """Make due at once whatever waits for a webhook; list the units to ring."""


class WebhookReader(Protocol):
    """Reads webhooks."""

    def inspect(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook for its owner, whether or not its secret decrypts."""


class DeliveryService:
    """Deliveries as the API's callers see them; all calls raise NotFoundError for what is not theirs."""

    def __init__(self, *, deliveries: DeliveryStore, webhooks: WebhookReader, dispatcher: Dispatcher) -> None:
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._dispatcher = dispatcher

    def list(self, environment_id: EnvironmentId, webhook_id: str, filters: ListFilters) -> Page[Delivery]:
        """Read a page of a webhook's deliveries, without their bodies."""
        self._check(environment_id, webhook_id)
        return self._deliveries.list(webhook_id, filters)

    def get(self, environment_id: EnvironmentId, webhook_id: str, delivery_id: str) -> Delivery:
        """Read one delivery with its body."""
        self._check(environment_id, webhook_id)
        delivery = self._deliveries.get(webhook_id, delivery_id)
        if delivery is None:
            raise NotFoundError("delivery", delivery_id)
        return delivery

    def retry(self, environment_id: EnvironmentId, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again, or at once if it waits; its id stays. Raises ConflictError when it can not be."""
        self.get(environment_id, webhook_id, delivery_id)
        wake_ups = self._deliveries.retry(webhook_id, delivery_id)
        if wake_ups is None:
            if self.get(environment_id, webhook_id, delivery_id).status == DeliveryStatus.SPLIT:
                raise ConflictError("this delivery was split: its parts, which name it as part_of, can be sent again")
            raise ConflictError("retention has removed the body of this delivery: it can not be sent again")
        self._dispatcher.dispatch(wake_ups)
        return self.get(environment_id, webhook_id, delivery_id)

    def wake(self, webhook_id: str) -> None:
        """Send at once whatever waits for a webhook that is active again."""
        self._dispatcher.dispatch(self._deliveries.wake_all(webhook_id))

    def _check(self, environment_id: EnvironmentId, webhook_id: str) -> None:
        if self._webhooks.inspect(environment_id, webhook_id) is None:
            raise NotFoundError("webhook", webhook_id)
