"""Datastores in Postgres; their configs are encrypted as a whole."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.destinations import Datastore, DatastoreType
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.secrets.bound_values import DATASTORE_CONFIG
from app.store.secrets.encryption import Cipher
from app.store.secrets.sealed_store import SealedStore, open_config


@retry_conflicts
class DatastoreStore(SealedStore[Datastore]):
    """The datastores of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, cipher, DATASTORE_CONFIG, _build)

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Datastore:
        """Write a datastore; raise InvalidInputError when its id is taken."""
        try:
            return super().create(environment_id, id, values)
        except IntegrityError as error:
            raise InvalidInputError([Failure("id", "a datastore with this id exists already")]) from error

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a datastore; raise InvalidInputError while destinations write there."""
        try:
            return super().delete(environment_id, id, seen=seen)
        except IntegrityError as error:
            message = f"destinations write there, delete them first: {self._users(id)}"
            raise InvalidInputError([Failure("id", message)]) from error

    def _users(self, datastore_id: str) -> str:
        table = tables.destination
        with reading(self._engine) as connection:
            ids = connection.execute(select(table.c.id).where(table.c.datastore_id == datastore_id).limit(5))
            return ", ".join(str(id) for id in ids.scalars())


def datastore_of(row: Row, cipher: Cipher) -> Datastore:
    """Read a datastore's row, its config opened; raise UnreadableSecretError."""
    return _build(row, open_config(row, cipher, DATASTORE_CONFIG))


def _build(row: Row, config: JsonObject, *, unreadable: str | None = None) -> Datastore:
    return build_object(Datastore, row, config=config, type=DatastoreType(row["type"]), unreadable=unreadable)
