"""Objects whose configs are encrypted as a whole: read with their secrets, or for their owners."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine

from app.engine.errors import UnreadableSecretError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import OwnedStore
from app.store.secrets.bound_values import SealedColumn
from app.store.secrets.encryption import Cipher

T = TypeVar("T")


@retry_conflicts
class SealedStore(OwnedStore[T], Generic[T]):
    """The objects of one table with an encrypted config, each as its owner sees it, but for ``get``."""

    def __init__(self, engine: Engine, cipher: Cipher, column: SealedColumn, build: Callable[..., T]) -> None:
        """``build`` makes an object of its row and config; ``unreadable`` says why the config does not decrypt."""
        super().__init__(engine, column.table, self._show)
        self._cipher = cipher
        self._column = column
        self._make = build

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> T:
        """Write one."""
        return super().create(environment_id, id, self._seal(environment_id, id, values))

    def get(self, environment_id: EnvironmentId, id: str) -> T | None:
        """Read one with its secrets; raise UnreadableSecretError."""
        row = owned_rows.find_row(self._engine, self._table, environment_id, id)
        return self._make(row, open_config(row, self._cipher, self._column)) if row else None

    def inspect(self, environment_id: EnvironmentId, id: str) -> T | None:
        """Read one for its owner; of a config that does not decrypt, nothing."""
        return super().get(environment_id, id)

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> T | None:
        """Change some fields."""
        return super().update(environment_id, id, self._seal(environment_id, id, values), seen=seen)

    def _seal(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(values)
        if "config" in given:
            # As Postgres returns the id, however a caller has written it.
            place = self._column.place(environment_id, parse_id(id) or id)
            given[self._column.name] = self._cipher.seal(given.pop("config"), place)
        return given

    def _show(self, row: Row) -> T:
        try:
            return self._make(row, open_config(row, self._cipher, self._column))
        except UnreadableSecretError as error:
            return self._make(row, {}, unreadable=f"{error.code}: {error.message}")


def open_config(row: Row, cipher: Cipher, column: SealedColumn) -> JsonObject:
    """Decrypt the config of a row; raise UnreadableSecretError."""
    config = cipher.open(row[column.name], column.place(row["environment_id"], row["id"]))
    assert isinstance(config, dict)
    return config
