"""The deliveries of a webhook: what was sent, what waits and why, and how to send it again."""

from app.engine.errors import ConflictError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery
from app.engine.status import DeliveryStatus
from app.services.crud import require
from app.services.ports import Dispatcher
from app.services.webhooks.ports import DeliveryStore, WebhookStore


class DeliveryService:
    """Deliveries as the API's callers see them; all calls raise NotFoundError for what is not theirs."""

    def __init__(self, *, deliveries: DeliveryStore, webhooks: WebhookStore, dispatcher: Dispatcher) -> None:
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
        return require(self._deliveries.get(webhook_id, delivery_id), "delivery", delivery_id)

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
        require(self._webhooks.inspect(environment_id, webhook_id), "webhook", webhook_id)
