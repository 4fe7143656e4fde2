"""Webhooks in Postgres; their secrets are encrypted."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, RowMapping

from app.engine.objects import EnvironmentId, ListFilters, Page, Webhook
from app.store import catalog, tables
from app.store.encryption import Cipher

_TABLE = tables.webhook


class WebhookStore:
    """The webhooks of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, secret: str) -> Webhook:
        """Write a webhook."""
        sealed = {"id": id, "environment_id": environment_id, "secret_encrypted": self._cipher.seal(secret)}
        return self._webhook(catalog.insert_row(self._engine, _TABLE, {**values, **sealed}))

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook, its secret included."""
        row = catalog.find_row(self._engine, _TABLE, environment_id, webhook_id)
        return self._webhook(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Webhook]:
        """Read a page of webhooks."""
        return catalog.list_rows(self._engine, _TABLE, environment_id, self._webhook, filters)

    def update(self, environment_id: EnvironmentId, webhook_id: str, values: Mapping[str, Any]) -> Webhook | None:
        """Change a webhook; its secret stays."""
        row = catalog.update_row(self._engine, _TABLE, environment_id, webhook_id, values)
        return self._webhook(row) if row else None

    def delete(self, environment_id: EnvironmentId, webhook_id: str) -> bool:
        """Remove a webhook."""
        return catalog.delete_row(self._engine, _TABLE, environment_id, webhook_id)

    def _webhook(self, row: RowMapping) -> Webhook:
        return Webhook(
            id=str(row["id"]),
            environment_id=EnvironmentId(str(row["environment_id"])),
            target_url=row["target_url"],
            is_active=row["is_active"],
            event_types=row["event_types"],
            signature_encoding=row["signature_encoding"],
            secret=self._cipher.open(row["secret_encrypted"]),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )
