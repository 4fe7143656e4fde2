"""The mappings of unified models' methods, as the API's callers see them: one layer at a time."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel, UnifiedModelMethod
from app.engine.unified import mapping as unified_mapping
from app.engine.unified import model as unified_model
from app.services.crud import (
    FindIntegration,
    Reader,
    VersionedService,
    VersionedStore,
    missing_reference,
    raise_for_failures,
)
from app.services.unified.models import InstalledModelService, UnifiedModelService

_PLACE: Final = ("resource_name", "integration_name", "method_name")


class MappingLayer(StrEnum):
    """The layer of configuration that a mapping belongs to."""

    BASE = "base"
    ENVIRONMENT = "environment"
    """Over the base; an account's own lies over this one."""


class MappingService(VersionedService[UnifiedModelMethod]):
    """The mappings of one layer; an environment's layer reads ``installed`` models too."""

    KIND = "unified model resource method"

    def __init__(
        self,
        mappings: VersionedStore[UnifiedModelMethod],
        models: Reader[UnifiedModel],
        find_integration: FindIntegration,
        installed: Reader[EnvironmentUnifiedModel] | None = None,
    ) -> None:
        super().__init__(mappings)
        self._models = models
        self._find_integration = find_integration
        self._installed = installed

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> UnifiedModelMethod:
        """Create a mapping; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        failures = [*faults, *_config_failures(fields)]
        placed = {**fields, **self._find_model(environment_id, fields, failures)}
        self._check_place(environment_id, placed, failures)
        raise_for_failures(failures)
        return self._store.create(environment_id, new_id(), {"config": {}, **placed})

    def _check_changes(
        self,
        environment_id: EnvironmentId,
        current: UnifiedModelMethod,
        changes: JsonObject,
        faults: Sequence[Failure],
    ) -> JsonObject:
        """Merge the config deeply, where a null takes a key away; the place can not be changed."""
        moved = [name for name in _PLACE if changes.get(name, getattr(current, name)) != getattr(current, name)]
        config = merge(current.config, changes.get("config", {}))
        fixed = [Failure(name, "can not be changed: make another mapping") for name in moved]
        raise_for_failures([*faults, *fixed, *_config_failures({"config": config})])
        return {"config": config}

    def _find_model(self, environment_id: EnvironmentId, fields: JsonObject, failures: list[Failure]) -> JsonObject:
        """Return the model of an environment's mapping, found by way of what the environment changes about it."""
        id = fields.get("environment_unified_model_id", "")
        if self._installed is None or not id:
            return {}
        row = self._installed.get(environment_id, id)
        if row is None:
            failures.append(missing_reference("environment_unified_model_id", InstalledModelService.KIND, id))
            return {}
        return {"unified_model_id": row.unified_model_id}

    def _check_place(self, environment_id: EnvironmentId, fields: JsonObject, failures: list[Failure]) -> None:
        integration = fields.get("integration_name", "")
        if integration and self._find_integration(environment_id, integration) is None:
            failures.append(missing_reference("integration_name", "integration", integration))
        model_id = fields.get("unified_model_id", "")
        if not model_id:
            return
        model = self._models.get(environment_id, model_id)
        if model is None:
            failures.append(missing_reference("unified_model_id", UnifiedModelService.KIND, model_id))
            return
        failures += _name_failures(model, fields.get("resource_name", ""), fields.get("method_name", ""))


def _name_failures(model: UnifiedModel, resource: str, method: str) -> list[Failure]:
    if not resource:
        return []
    methods = unified_model.list_methods(model.resources, resource)
    if methods is None:
        known = ", ".join(sorted(model.resources)) or "none"
        return [Failure("resource_name", f"'{resource}' is no resource of '{model.name}', which has: {known}")]
    if method and method not in methods:
        return [Failure("method_name", f"'{resource}' has no method '{method}': expected one of {', '.join(methods)}")]
    return []


def _config_failures(fields: JsonObject) -> list[Failure]:
    if "config" not in fields:
        return []
    return unified_mapping.parse_mapping(fields["config"], resource="resource", method="method")[1]
