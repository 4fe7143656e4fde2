"""Integrations as they are shown within accounts and installations, many at once."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Engine, and_, select

from app.engine.integrations.embedding import READ, EmbeddedIntegration, Embedding, Embeddings, show_face
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration
from app.services.runs.conflicts import repeats_conflicts
from app.store import tables
from app.store.db.database import Row, reading
from app.store.secrets import sealed_config
from app.store.secrets.bound_values import CONFIG, OVERRIDE
from app.store.secrets.encryption import Cipher

_INTEGRATION: Final = tables.integration
_INSTALLED: Final = tables.environment_integration
_PREFIX: Final = "installed_"
_FACES: Final = select(
    *(column for column in _INTEGRATION.c if column.name != "config"),
    *(_INTEGRATION.c.config[name].label(f"config_{name}") for name in READ),
    *(column.label(f"{_PREFIX}{column.name}") for column in _INSTALLED.c),
).outerjoin(
    _INSTALLED,
    and_(
        _INSTALLED.c.integration_id == _INTEGRATION.c.id, _INSTALLED.c.environment_id == _INTEGRATION.c.environment_id
    ),
)


@repeats_conflicts
class EmbeddedIntegrationStore:
    """The integrations of all environments, as others show them."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def of(self, environment_id: EnvironmentId, integration_ids: Collection[str]) -> Embeddings:
        """Read integrations of an environment, each with its installation; one that is not there is left out."""
        if not integration_ids:
            return {}
        wanted = _INTEGRATION.c.environment_id == environment_id, _INTEGRATION.c.id.in_(integration_ids)
        with reading(self._engine) as connection:
            rows = connection.execute(_FACES.where(*wanted)).mappings().all()
        return {
            str(row["id"]): Embedding(integration=self._face(row), installed=self._build_installed(row)) for row in rows
        }

    def _face(self, row: Row) -> EmbeddedIntegration:
        parts = {name: row[f"config_{name}"] for name in READ if row[f"config_{name}"] is not None}
        place = CONFIG.place(row["environment_id"], row["id"])
        return EmbeddedIntegration(
            id=str(row["id"]),
            environment_id=EnvironmentId(str(row["environment_id"])),
            name=row["name"],
            category=row["category"],
            is_beta=row["is_beta"],
            sharing=row["sharing"],
            config=show_face(sealed_config.show_secrets(parts, self._cipher, place)),
            version=row["version"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def _build_installed(self, row: Row) -> EnvironmentIntegration | None:
        if row[f"{_PREFIX}id"] is None:
            return None
        place = OVERRIDE.place(row["environment_id"], row["id"])
        return EnvironmentIntegration(
            id=str(row[f"{_PREFIX}id"]),
            environment_id=EnvironmentId(str(row["environment_id"])),
            integration_id=str(row["id"]),
            override=sealed_config.show_secrets(row[f"{_PREFIX}override"], self._cipher, place),
            origins=row[f"{_PREFIX}origins"],
            show_in_catalog=row[f"{_PREFIX}show_in_catalog"],
            created_at=row[f"{_PREFIX}created_at"],
            updated_at=row[f"{_PREFIX}updated_at"],
        )
