"""Unified models, what an environment changes about them, and the mappings of their methods, in Postgres."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError
from app.engine.integrations.offers import MappedModel
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel, UnifiedModelMethod
from app.engine.unified.model import UnifiedName
from app.services.runs.conflicts import retry_conflicts
from app.services.unified.mappings import MappingLayers
from app.services.unified.methods import MappingLayer
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import reading
from app.store.db.owned_rows import NamedStore, OwnedStore, build_object

T = TypeVar("T")

_MODEL = tables.unified_model
_INSTALLED = tables.environment_unified_model
_METHOD = tables.unified_model_method


@retry_conflicts
class UnifiedModelStore(NamedStore[UnifiedModel]):
    """The unified models of all environments; a model is removed with its mappings."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, _MODEL, partial(build_object, UnifiedModel), kind="a unified model")

    def read_layers(
        self, environment_id: EnvironmentId, name: UnifiedName, *, method: str, integration_name: str
    ) -> MappingLayers | None:
        """Read what is configured for a method at an integration; None when there is no such model."""
        at_place = and_(
            _METHOD.c.unified_model_id == _MODEL.c.id,
            _METHOD.c.integration_name == integration_name,
            _METHOD.c.resource_name == name.resource,
            _METHOD.c.method_name == method,
        )
        statement = (
            select(_MODEL.c.resources, _METHOD.c.layer, _METHOD.c.config)
            .outerjoin(_METHOD, at_place)
            .where(_MODEL.c.environment_id == environment_id, _MODEL.c.name == name.model)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        if not rows:
            return None
        configs = {row.layer: row.config for row in rows}
        return MappingLayers(
            resources=rows[0].resources, base=configs.get("base"), environment=configs.get("environment")
        )

    def read_mapped_models(self, environment_id: EnvironmentId, integration_name: str) -> Sequence[MappedModel]:
        """Read all models, by name, with their methods that are mapped to an integration in any layer."""
        at_integration = and_(_METHOD.c.unified_model_id == _MODEL.c.id, _METHOD.c.integration_name == integration_name)
        described = _METHOD.c.config["description"].astext.label("description")
        statement = (
            select(_MODEL.c.id, _MODEL.c.name, _MODEL.c.category, _MODEL.c.resources)
            .add_columns(_METHOD.c.resource_name, _METHOD.c.method_name, _METHOD.c.layer, described)
            .outerjoin(_METHOD, at_integration)
            .where(_MODEL.c.environment_id == environment_id)
            # An environment's layer comes after the base that it lies over.
            .order_by(_MODEL.c.name, _METHOD.c.layer)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        methods: dict[str, dict[tuple[str, str], str | None]] = {}
        for row in rows:
            of_model = methods.setdefault(row.name, {})
            if row.method_name is not None:
                place = (row.resource_name, row.method_name)
                of_model[place] = row.description or of_model.get(place)
        overridden = {
            (row.name, row.resource_name, row.method_name)
            for row in rows
            if row.layer == MappingLayer.ENVIRONMENT.value
        }
        models = {row.name: row for row in rows}
        return [
            MappedModel(
                id=str(row.id),
                name=name,
                category=row.category,
                resources=row.resources,
                methods=methods[name],
                overridden=frozenset((resource, method) for of, resource, method in overridden if of == name),
            )
            for name, row in models.items()
        ]


@retry_conflicts
class EnvironmentUnifiedModelStore(OwnedStore[EnvironmentUnifiedModel]):
    """What environments change about their unified models; it is removed with its mappings."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, _INSTALLED, partial(build_object, EnvironmentUnifiedModel))

    def put(
        self, environment_id: EnvironmentId, id: str, unified_model_id: str, override: Mapping[str, Any] | None
    ) -> EnvironmentUnifiedModel:
        """Write a model's row, or change the one that is there."""
        values = {"id": id, "environment_id": environment_id, "unified_model_id": unified_model_id}
        changed = {"updated_at": func.now(), **({} if override is None else {"override": override})}
        statement = (
            insert(_INSTALLED)
            .values(**values, override=override or {})
            .on_conflict_do_update(constraint="environment_unified_model_model", set_=changed)
            .returning(_INSTALLED)
        )
        with self._engine.begin() as connection:
            return build_object(EnvironmentUnifiedModel, connection.execute(statement).mappings().one())


@retry_conflicts
class MappingStore:
    """The mappings of one layer."""

    def __init__(self, engine: Engine, layer: MappingLayer) -> None:
        self._engine = engine
        self._layer = layer

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> UnifiedModelMethod:
        """Write a mapping; raise InvalidInputError when there is one of the same place."""
        row = {**values, "id": id, "environment_id": environment_id, "layer": self._layer.value}
        try:
            return build_object(UnifiedModelMethod, owned_rows.insert_row(self._engine, _METHOD, row))
        except IntegrityError as error:
            message = "exists already for this integration and resource: change it by PATCH"
            raise InvalidInputError([Failure("method_name", message)]) from error

    def get(self, environment_id: EnvironmentId, id: str) -> UnifiedModelMethod | None:
        """Read one mapping."""
        row = owned_rows.find_row(self._engine, _METHOD, environment_id, id)
        return build_object(UnifiedModelMethod, row) if row and row["layer"] == self._layer.value else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[UnifiedModelMethod]:
        """Read a page of mappings."""
        build, mine = partial(build_object, UnifiedModelMethod), _METHOD.c.layer == self._layer.value
        return owned_rows.list_rows(self._engine, _METHOD, environment_id, build, filters, only=mine)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
        version: int | None = None,
    ) -> UnifiedModelMethod | None:
        """Change a mapping that is still at ``version``; None when it is not, or not there."""
        row = owned_rows.update_row(self._engine, _METHOD, environment_id, id, values, version=version, seen=seen)
        return build_object(UnifiedModelMethod, row) if row else None

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a mapping."""
        return self.get(environment_id, id) is not None and owned_rows.delete_row(
            self._engine, _METHOD, environment_id, id, seen=seen
        )
