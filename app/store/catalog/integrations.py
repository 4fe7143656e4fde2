"""Integrations in Postgres; the literal secrets of their configs are encrypted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.owned_rows import NamedStore, build_object
from app.store.secrets import sealed_config
from app.store.secrets.bound_values import CONFIG, Place
from app.store.secrets.encryption import Cipher

_TABLE = tables.integration


@retry_conflicts
class IntegrationStore(NamedStore[Integration]):
    """The integrations of all environments, each as its owner sees it, but for ``get`` and ``find_by_name``."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, _TABLE, self._show, kind="an integration")
        self._cipher = cipher

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Integration:
        """Write an integration; raise InvalidInputError when its name is taken."""
        return super().create(environment_id, id, self._seal(environment_id, id, values))

    def get(self, environment_id: EnvironmentId, id: str) -> Integration | None:
        """Read one integration."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return integration_of(row, self._cipher) if row else None

    def inspect(self, environment_id: EnvironmentId, id: str) -> Integration | None:
        """Read one integration for its owner: what does not decrypt stays sealed, and is reported."""
        return super().get(environment_id, id)

    def find_by_name(self, environment_id: EnvironmentId, name: str) -> Integration | None:
        """Find an integration by its name."""
        row = self._find_named(environment_id, name)
        return integration_of(row, self._cipher) if row else None

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
        version: int | None = None,
    ) -> Integration | None:
        """Change an integration that is still at ``version``; None when it is not, or not there."""
        stored = owned_rows.find_row(self._engine, _TABLE, environment_id, id) if "config" in values else None
        sealed = self._seal(environment_id, id, values, stored)
        return super().update(environment_id, id, sealed, seen=seen, version=version)

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove an integration; raise InvalidInputError while accounts belong to it."""
        try:
            return super().delete(environment_id, id, seen=seen)
        except IntegrityError as error:
            raise InvalidInputError([Failure("id", self._in_use(id))]) from error

    def _in_use(self, integration_id: str) -> str:
        accounts = tables.integrated_account
        with reading(self._engine) as connection:
            ids = connection.execute(select(accounts.c.id).where(accounts.c.integration_id == integration_id).limit(5))
            named = ", ".join(str(id) for id in ids.scalars())
        return f"integrated accounts belong to this integration, delete them first: {named}"

    def _seal(
        self, environment_id: str, id: str, values: Mapping[str, Any], stored: Row | None = None
    ) -> dict[str, Any]:
        if "config" not in values:
            return dict(values)
        place, present = CONFIG.place(environment_id, parse_id(id)), stored["config"] if stored else None
        return {**values, "config": sealed_config.seal_secrets(values["config"], self._cipher, place, stored=present)}

    def _show(self, row: Row) -> Integration:
        """Read an integration's row for its owner, even if its secrets do not decrypt."""
        config = sealed_config.show_secrets(row["config"], self._cipher, _place(row))
        return replace(_integration(row, config), unreadable=frozenset(sealed_config.find_sealed(config)))


def integration_of(row: Row, cipher: Cipher) -> Integration:
    """Read an integration's row, its secrets opened."""
    return _integration(row, sealed_config.open_secrets(row["config"], cipher, _place(row)))


def _place(row: Row) -> Place:
    return CONFIG.place(row["environment_id"], row["id"])


def _integration(row: Row, config: JsonObject) -> Integration:
    return build_object(Integration, row, config=config)
