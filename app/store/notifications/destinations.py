"""Notification destinations in Postgres; their configs are encrypted as a whole."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import NotificationDestination, NotificationType
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row
from app.store.db.owned_rows import build_object
from app.store.secrets.bound_values import NOTIFICATION_CONFIG
from app.store.secrets.encryption import Cipher
from app.store.secrets.sealed_store import SealedStore


@retry_conflicts
class NotificationDestinationStore(SealedStore[NotificationDestination]):
    """The notification destinations of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, cipher, NOTIFICATION_CONFIG, _build)

    def _seal(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Encrypt a config; with another one than before, a destination has a clean record."""
        sealed = super()._seal(environment_id, id, values)
        return sealed | {"failing_since": None, "last_error": None} if "config" in values else sealed


def _build(row: Row, config: JsonObject, *, unreadable: str | None = None) -> NotificationDestination:
    type = NotificationType(row["type"])
    return build_object(NotificationDestination, row, config=config, type=type, unreadable=unreadable)
