"""Notification destinations in Postgres; their configs are encrypted as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from app.engine.errors import UnreadableSecretError
from app.engine.ids import parse_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.engine.objects.notifications import NotificationDestination, NotificationType
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import OwnedStore, build_object
from app.store.secrets.bound_values import NOTIFICATION_CONFIG
from app.store.secrets.encryption import Cipher

_TABLE = tables.notification_destination


@retry_conflicts
class NotificationDestinationStore(OwnedStore[NotificationDestination]):
    """The notification destinations of all environments, each as its owner sees it, but for ``get``."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, _TABLE, self._show)
        self._cipher = cipher

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> NotificationDestination:
        """Write one."""
        return super().create(environment_id, id, self._seal(environment_id, id, values))

    def get(self, environment_id: EnvironmentId, id: str) -> NotificationDestination | None:
        """Read one with its secrets; raise UnreadableSecretError."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return self._open(row) if row else None

    def inspect(self, environment_id: EnvironmentId, id: str) -> NotificationDestination | None:
        """Read one for its owner; of a config that does not decrypt, nothing."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return self._show(row) if row else None

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> NotificationDestination | None:
        """Change one; with another config it has a clean record."""
        sealed = self._seal(environment_id, id, values)
        if "config" in values:
            sealed |= {"failing_since": None, "last_error": None}
        return super().update(environment_id, id, sealed, seen=seen)

    def _seal(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(values)
        if "config" in given:
            # As Postgres returns the id, however a caller has written it.
            place = NOTIFICATION_CONFIG.place(environment_id, parse_id(id) or id)
            given["config_encrypted"] = self._cipher.seal(given.pop("config"), place)
        return given

    def _open(self, row: Row) -> NotificationDestination:
        config = self._cipher.open(row["config_encrypted"], NOTIFICATION_CONFIG.place(row["environment_id"], row["id"]))
        assert isinstance(config, dict)
        return _destination(row, config)

    def _show(self, row: Row) -> NotificationDestination:
        try:
            return self._open(row)
        except UnreadableSecretError as error:
            return replace(_destination(row, {}), unreadable=f"{error.code}: {error.message}")


def _destination(row: Row, config: dict[str, Any]) -> NotificationDestination:
    return build_object(NotificationDestination, row, config=config, type=NotificationType(row["type"]))
