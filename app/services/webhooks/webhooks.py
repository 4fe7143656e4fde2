"""Webhooks: where RapidBridge runs deliver."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks import signatures

DEFAULT_OVERLAP_SECONDS = 24 * 3600.0


class WebhookStore(Protocol):
    """Keeps webhooks."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON], *, secret: str) -> Webhook:
        """Write a new webhook."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook, to send to it."""

    def inspect(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook for its owner, who is told of a secret that does not decrypt."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Webhook]:
        """Read a page of webhooks."""

    def update(
        self,
        environment_id: EnvironmentId,
        webhook_id: str,
        values: Mapping[str, JSON],
        *,
        seen: RowVersion | None = None,
    ) -> Webhook | None:
        """Change some fields of a webhook."""

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        """Sign by another secret, for a while beside the present one; raise ConflictError when somebody was first."""

    def delete(self, environment_id: EnvironmentId, webhook_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a webhook; tell whether there was one."""


class WebhookTester(Protocol):
    """Sends test events."""

    def send_test(self, webhook: Webhook) -> None:
        """Send a test event once; raise DeliveryError when the receiver does not take it."""


class WebhookService:
    """Webhooks as the API's callers see them."""

    def __init__(self, webhooks: WebhookStore, tester: WebhookTester, *, wake: Callable[[str], None]) -> None:
        """``wake`` has what waits for a webhook sent at once."""
        self._webhooks = webhooks
        self._tester = tester
        self._wake = wake

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Webhook:
        """Make a webhook with a fresh secret; raise InvalidInputError with ``faults``, which the caller found."""
        if faults:
            raise InvalidInputError(faults)
        return self._webhooks.create(environment_id, new_id(), fields, secret=signatures.make_secret())

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook:
        """Read one webhook; raise NotFoundError."""
        return _found(self._webhooks.inspect(environment_id, webhook_id), webhook_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Webhook]:
        """Read a page of webhooks."""
        return self._webhooks.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        webhook_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> Webhook:
        """Change some fields; what waits is tried at once. Raises as ``create`` and ``get`` do."""
        self.get(environment_id, webhook_id)
        if faults:
            raise InvalidInputError(faults)
        webhook = _found(self._webhooks.update(environment_id, webhook_id, changes, seen=seen), webhook_id)
        if changes.get("is_active") or "target_url" in changes:
            self._wake(webhook_id)
        return webhook

    def rotate_secret(
        self, environment_id: EnvironmentId, webhook_id: str, *, overlap_seconds: float = DEFAULT_OVERLAP_SECONDS
    ) -> Webhook:
        """Return a webhook a fresh secret; the present one signs beside it for so long. Raises as ``get`` does."""
        webhook = self._webhooks.replace_secret(
            environment_id, webhook_id, signatures.make_secret(), overlap_seconds=overlap_seconds
        )
        return _found(webhook, webhook_id)

    def delete(self, environment_id: EnvironmentId, webhook_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a webhook; raise NotFoundError."""
        if not self._webhooks.delete(environment_id, webhook_id, seen=seen):
            raise NotFoundError("webhook", webhook_id)
        return webhook_id

    def test(self, environment_id: EnvironmentId, webhook_id: str) -> None:
        """Send a test event; raise DeliveryError, or InvalidInputError when there is no such webhook."""
        webhook = self._webhooks.get(environment_id, webhook_id)
        if webhook is None:
            raise InvalidInputError([Failure("id", f"webhook '{webhook_id}' does not exist", missing_reference=True)])
        self._tester.send_test(webhook)


def _found(webhook: Webhook | None, webhook_id: str) -> Webhook:
    if webhook is None:
        raise NotFoundError("webhook", webhook_id)
    return webhook
