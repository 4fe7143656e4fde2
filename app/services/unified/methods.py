"""The mappings of unified models' methods, as the API's callers see them: one layer at a time."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.unified import UnifiedModel, UnifiedModelMethod
from app.engine.unified import mapping as unified_mapping
from app.engine.unified import model as unified_model
from app.services.unified.models import (
    INSTALLED_KIND,
    MODEL_KIND,
    InstalledModelStore,
    ModelStore,
    checked,
    missing,
    outdated,
    version_failures,
)

Faults: TypeAlias = list[Failure]

_METHOD = "unified model resource method"
_PLACE = ("resource_name", "integration_name", "method_name")


class MappingLayer(StrEnum):
    """Which of the configurations that are laid over each other a mapping belongs to."""

    BASE = "base"
    ENVIRONMENT = "environment"
    """Over the base; an account's own lies over this one."""


class MappingStore(Protocol):
    """Keeps the mappings of one layer."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON]) -> UnifiedModelMethod:
        """Write a new mapping; raise InvalidInputError when its place is taken."""

    def get(self, environment_id: EnvironmentId, id: str) -> UnifiedModelMethod | None:
        """Read one mapping."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[UnifiedModelMethod]:
        """Read a page of mappings."""

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, JSON],
        *,
        version: int,
        seen: RowVersion | None = None,
    ) -> UnifiedModelMethod | None:
        """Change a mapping that is still at ``version``; None when it is not, or not there."""

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a mapping."""


class IntegrationNames(Protocol):
    """Finds integrations by name."""

    def by_name(self, environment_id: EnvironmentId, name: str) -> Integration | None:
        """Read one integration."""


class MappingService:
    """The mappings of one layer; an environment's is given what environments change about their models."""

    def __init__(
        self,
        mappings: MappingStore,
        models: ModelStore,
        integrations: IntegrationNames,
        installed: InstalledModelStore | None = None,
    ) -> None:
        self._mappings = mappings
        self._models = models
        self._integrations = integrations
        self._installed = installed

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> UnifiedModelMethod:
        """Make a mapping; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        failures = [*faults, *_config_failures(fields)]
        placed = {**fields, **self._model_of(environment_id, fields, failures)}
        self._check_place(environment_id, placed, failures)
        checked(failures)
        return self._mappings.create(environment_id, new_id(), {"config": {}, **placed})

    def get(self, environment_id: EnvironmentId, id: str) -> UnifiedModelMethod:
        """Read one mapping; raise NotFoundError."""
        mapping = self._mappings.get(environment_id, id)
        if mapping is None:
            raise NotFoundError(_METHOD, id)
        return mapping

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[UnifiedModelMethod]:
        """Read a page of mappings."""
        return self._mappings.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        version: int | None = None,
        seen: RowVersion | None = None,
    ) -> UnifiedModelMethod:
        """Change the config, which is merged deeply: a null takes a key away. The place can not be changed."""
        current = self.get(environment_id, id)
        moved = [name for name in _PLACE if changes.get(name, getattr(current, name)) != getattr(current, name)]
        config = merge(current.config, changes.get("config", {}))
        checked(
            [
                *faults,
                *version_failures(version, current.version),
                *(Failure(name, "can not be changed: make another mapping") for name in moved),
                *_config_failures({"config": config}),
            ]
        )
        updated = self._mappings.update(environment_id, id, {"config": config}, version=current.version, seen=seen)
        if updated is None:
            raise InvalidInputError([outdated(self.get(environment_id, id).version)])
        return updated

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a mapping; raise NotFoundError."""
        if not self._mappings.delete(environment_id, id, seen=seen):
            raise NotFoundError(_METHOD, id)
        return id

    def _model_of(self, environment_id: EnvironmentId, fields: JsonObject, failures: Faults) -> JsonObject:
        """Find the model that an environment's mapping is of, by way of what the environment changes about it."""
        id = fields.get("environment_unified_model_id", "")
        if self._installed is None or not id:
            return {}
        row = self._installed.get(environment_id, id)
        if row is None:
            failures.append(missing("environment_unified_model_id", INSTALLED_KIND, id))
            return {}
        return {"unified_model_id": row.unified_model_id}

    def _check_place(self, environment_id: EnvironmentId, fields: JsonObject, failures: Faults) -> None:
        integration = fields.get("integration_name", "")
        if integration and self._integrations.by_name(environment_id, integration) is None:
            message = f"integration '{integration}' does not exist"
            failures.append(Failure("integration_name", message, missing_reference=True))
        model_id = fields.get("unified_model_id", "")
        if not model_id:
            return
        model = self._models.get(environment_id, model_id)
        if model is None:
            failures.append(missing("unified_model_id", MODEL_KIND, model_id))
            return
        failures += _name_failures(model, fields.get("resource_name", ""), fields.get("method_name", ""))


def _name_failures(model: UnifiedModel, resource: str, method: str) -> Faults:
    if not resource:
        return []
    methods = unified_model.list_methods(model.resources, resource)
    if methods is None:
        known = ", ".join(sorted(model.resources)) or "none"
        return [Failure("resource_name", f"'{resource}' is no resource of '{model.name}', which has: {known}")]
    if method and method not in methods:
        return [Failure("method_name", f"'{resource}' has no method '{method}': expected one of {', '.join(methods)}")]
    return []


def _config_failures(fields: JsonObject) -> Faults:
    if "config" not in fields:
        return []
    return unified_mapping.parse_mapping(fields["config"], resource="resource", method="method")[1]
