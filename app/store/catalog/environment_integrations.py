"""Installed integrations in Postgres; the literal secrets of their overrides are encrypted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Engine, and_, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from app.engine.ids import new_id, parse_id
from app.engine.json_types import JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration, Integration
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.catalog.integrations import integration_of
from app.store.db import owned_rows
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.owned_rows import OwnedStore
from app.store.secrets import sealed_config
from app.store.secrets.bound_values import OVERRIDE
from app.store.secrets.encryption import Cipher

_TABLE = tables.environment_integration
_OF: Final = select(_TABLE).where(
    _TABLE.c.environment_id == bindparam("environment"), _TABLE.c.integration_id == bindparam("integration")
)
_INTEGRATION = tables.integration
_ALL: Final = select(_INTEGRATION, _TABLE.c.override, _TABLE.c.origins.label("override_origins")).outerjoin(
    _TABLE,
    and_(_TABLE.c.integration_id == _INTEGRATION.c.id, _TABLE.c.environment_id == _INTEGRATION.c.environment_id),
)
_EFFECTIVE: Final = _ALL.where(
    _INTEGRATION.c.environment_id == bindparam("environment"), _INTEGRATION.c.id == bindparam("integration")
)


@retry_conflicts
class EnvironmentIntegrationStore(OwnedStore[EnvironmentIntegration]):
    """The installed integrations of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, _TABLE, self._read_installed)
        self._cipher = cipher

    def install(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[EnvironmentIntegration, bool]:
        """Write one, or change the one of its integration; return whether it is new."""
        sealed = self._seal_override(
            environment_id, values["integration_id"], values, self._find(environment_id, values["integration_id"])
        )
        written = insert(_TABLE).values(**{"override": {}, **sealed}, id=new_id(), environment_id=environment_id)
        statement = written.on_conflict_do_update(
            index_elements=["integration_id"], set_={**sealed, "updated_at": func.now()}
        ).returning(_TABLE, literal_column("xmax = 0").label("is_new"))
        with self._engine.begin() as connection:
            row = connection.execute(statement).mappings().one()
        return self._read_installed(row), row["is_new"]

    def of(self, environment_id: EnvironmentId, integration_id: str) -> EnvironmentIntegration | None:
        """Read the one of an integration."""
        row = self._find(environment_id, integration_id)
        return self._read_installed(row) if row else None

    def _find(self, environment_id: EnvironmentId, integration_id: str) -> Row | None:
        with reading(self._engine) as connection:
            found = connection.execute(_OF, {"environment": environment_id, "integration": integration_id})
            return found.mappings().one_or_none()

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> EnvironmentIntegration | None:
        """Change one."""
        stored = owned_rows.find_row(self._engine, _TABLE, environment_id, id) if "override" in values else None
        sealed = self._seal_override(environment_id, str(stored["integration_id"]) if stored else "", values, stored)
        return super().update(environment_id, id, sealed, seen=seen)

    def _seal_override(
        self, environment_id: str, integration_id: str, values: Mapping[str, Any], stored: Row | None
    ) -> dict[str, Any]:
        if "override" not in values:
            return dict(values)
        place, present = (
            OVERRIDE.place(environment_id, parse_id(integration_id)),
            stored["override"] if stored else None,
        )
        override = sealed_config.seal_secrets(values["override"], self._cipher, place, stored=present)
        return {**values, "override": override}

    def _read_installed(self, row: Row) -> EnvironmentIntegration:
        """Read a row for its owner: what does not decrypt stays sealed, and is reported."""
        place = OVERRIDE.place(row["environment_id"], row["integration_id"])
        return _build(row, sealed_config.show_secrets(row["override"], self._cipher, place))


@retry_conflicts
class EffectiveIntegrations:
    """Integrations as their environment uses them: with its override laid over their configs."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def get(self, environment_id: EnvironmentId, integration_id: str) -> Integration | None:
        """Read one integration."""
        values = {"environment": environment_id, "integration": integration_id}
        row = autocommit_of(self._engine).one(_EFFECTIVE, values)
        return effective_of(row, self._cipher) if row else None

    def find_anywhere(self, integration_id: str) -> Integration | None:
        """Read one integration of any environment, for the operator."""
        with reading(self._engine) as connection:
            row = connection.execute(_ALL.where(_INTEGRATION.c.id == integration_id)).mappings().one_or_none()
        return effective_of(row, self._cipher) if row else None

    def list_everywhere(self) -> Iterator[Integration]:
        """Read the integrations of all environments, for the operator."""
        with reading(self._engine) as connection:
            for row in connection.execute(_ALL.order_by(_INTEGRATION.c.id)).mappings():
                yield effective_of(row, self._cipher)

    def record_origins(self, integration_id: str, hosts: Sequence[str]) -> None:
        """Record what an integration's own secrets, and its override's, are given for; where that is kept already."""
        with self._engine.begin() as connection:
            for table, column in ((_INTEGRATION, _INTEGRATION.c.id), (_TABLE, _TABLE.c.integration_id)):
                statement = update(table).where(column == integration_id, table.c.origins.is_not(None))
                connection.execute(statement.values(origins=hosts))


def _build(row: Row, override: JsonObject) -> EnvironmentIntegration:
    return EnvironmentIntegration(
        id=str(row["id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        integration_id=str(row["integration_id"]),
        override=override,
        unreadable=frozenset(sealed_config.find_sealed(override)),
        origins=row["origins"],
        show_in_catalog=row["show_in_catalog"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def effective_of(row: Row, cipher: Cipher) -> Integration:
    """Read an integration's row that has the ``override`` of its environment, or null, and that one's origins."""
    integration = integration_of(row, cipher)
    if row["override"] is None:
        return integration
    override = _open(integration.environment_id, integration.id, row["override"], cipher)
    config = merge(integration.config, override)
    return replace(integration, config=config, override_origins=row["override_origins"])


def _open(environment_id: object, integration_id: object, override: JsonObject, cipher: Cipher) -> JsonObject:
    return sealed_config.open_secrets(override, cipher, OVERRIDE.place(environment_id, integration_id))
