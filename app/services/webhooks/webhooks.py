"""Webhooks: where RapidBridge runs deliver."""

from collections.abc import Callable, Sequence

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks import signatures
from app.services.crud import CrudService, missing_reference, raise_for_failures, require
from app.services.webhooks.ports import WebhookStore

DEFAULT_OVERLAP_SECONDS = 24 * 3600.0


class WebhookService(CrudService[Webhook]):
    """Webhooks as the API's callers see them."""

    KIND = "webhook"
    _store: WebhookStore

    def __init__(
        self, webhooks: WebhookStore, send_test: Callable[[Webhook], None], *, wake: Callable[[str], None]
    ) -> None:
        """``send_test`` raises DeliveryError when it is refused; ``wake`` sends at once what waits for a webhook."""
        super().__init__(webhooks)
        self._send_test = send_test
        self._wake = wake

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Webhook:
        """Create a webhook with a fresh secret; raise InvalidInputError with ``faults``, which the caller found."""
        raise_for_failures(faults)
        return self._store.create(environment_id, new_id(), {**fields, "secret": signatures.make_secret()})

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> Webhook:
        """Change some fields; what waits is tried at once."""
        webhook = super().update(environment_id, id, changes, faults, seen=seen)
        if changes.get("is_active") or "target_url" in changes:
            self._wake(id)
        return webhook

    def rotate_secret(
        self, environment_id: EnvironmentId, webhook_id: str, *, overlap_seconds: float = DEFAULT_OVERLAP_SECONDS
    ) -> Webhook:
        """Replace a webhook's secret; the present one signs beside the new one for so long. Raises as ``get`` does."""
        webhook = self._store.replace_secret(
            environment_id, webhook_id, signatures.make_secret(), overlap_seconds=overlap_seconds
        )
        return require(webhook, self.KIND, webhook_id)

    def _read(self, environment_id: EnvironmentId, id: str) -> Webhook | None:
        return self._store.inspect(environment_id, id)

    def test(self, environment_id: EnvironmentId, webhook_id: str) -> None:
        """Send a test event; raise DeliveryError, or InvalidInputError when there is no such webhook."""
        webhook = self._store.get(environment_id, webhook_id)
        if webhook is None:
            raise InvalidInputError([missing_reference("id", self.KIND, webhook_id)])
        self._send_test(webhook)
