"""Datastores in Postgres; their configs are encrypted as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError, UnreadableSecretError
from app.engine.ids import parse_id
from app.engine.objects.destinations import Datastore, DatastoreType
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.secrets.bound_values import DATASTORE_CONFIG
from app.store.secrets.encryption import Cipher

_TABLE = tables.datastore


@retry_conflicts
class DatastoreStore:
    """The datastores of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Datastore:
        """Write a datastore; raise InvalidInputError when its id is taken."""
        owned = {**self._seal(environment_id, id, values), "id": id, "environment_id": environment_id}
        try:
            return self._datastore(owned_rows.insert_row(self._engine, _TABLE, owned))
        except IntegrityError as error:
            raise InvalidInputError([Failure("id", "a datastore with this id exists already")]) from error

    def get(self, environment_id: EnvironmentId, datastore_id: str) -> Datastore | None:
        """Read one datastore with its secrets; raise UnreadableSecretError."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, datastore_id)
        return self._datastore(row) if row else None

    def inspect(self, environment_id: EnvironmentId, datastore_id: str) -> Datastore | None:
        """Read one datastore for its owner; of a config that does not decrypt, nothing."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, datastore_id)
        return self._show(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Datastore]:
        """Read a page of datastores."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, self._show, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        datastore_id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
    ) -> Datastore | None:
        """Change some fields; the destinations that failed there are tried again at once."""
        sealed = self._seal(environment_id, datastore_id, values)
        row = owned_rows.update_row(self._engine, _TABLE, environment_id, datastore_id, sealed, seen=seen)
        return self._datastore(row) if row else None

    def delete(self, environment_id: EnvironmentId, datastore_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a datastore; raise InvalidInputError while destinations write there."""
        try:
            return owned_rows.delete_row(self._engine, _TABLE, environment_id, datastore_id, seen=seen)
        except IntegrityError as error:
            message = f"destinations write there, delete them first: {self._users(datastore_id)}"
            raise InvalidInputError([Failure("id", message)]) from error

    def _users(self, datastore_id: str) -> str:
        table = tables.destination
        with reading(self._engine) as connection:
            ids = connection.execute(select(table.c.id).where(table.c.datastore_id == datastore_id).limit(5))
            return ", ".join(str(id) for id in ids.scalars())

    def _seal(self, environment_id: str, id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(values)
        if "config" in given:
            # As Postgres returns the id, however a caller has written it.
            place = DATASTORE_CONFIG.place(environment_id, parse_id(id) or id)
            given["config_encrypted"] = self._cipher.seal(given.pop("config"), place)
        return given

    def _datastore(self, row: Row) -> Datastore:
        return datastore_of(row, self._cipher)

    def _show(self, row: Row) -> Datastore:
        try:
            return self._datastore(row)
        except UnreadableSecretError as error:
            shown = _datastore(row, {})
            return replace(shown, unreadable=f"{error.code}: {error.message}")


def datastore_of(row: Row, cipher: Cipher) -> Datastore:
    """Read a datastore's row, its config opened; raise UnreadableSecretError."""
    place = DATASTORE_CONFIG.place(row["environment_id"], row["id"])
    config = cipher.open(row["config_encrypted"], place)
    assert isinstance(config, dict)
    return _datastore(row, config)


def _datastore(row: Row, config: dict[str, Any]) -> Datastore:
    return build_object(Datastore, row, config=config, type=DatastoreType(row["type"]))
