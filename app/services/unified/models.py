"""Unified models, and what an environment changes about them, as the API's callers see them."""

from collections.abc import Callable, Collection, Mapping, Sequence

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel
from app.engine.unified import model as unified_model
from app.services.crud import (
    CrudService,
    Reader,
    Store,
    VersionedService,
    missing_reference,
    raise_for_failures,
)


class UnifiedModelService(VersionedService[UnifiedModel]):
    """Unified models; one that is removed takes its mappings with it."""

    KIND = "unified model"

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> UnifiedModel:
        """Create a model; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        raise_for_failures([*faults, *_resource_failures(fields)])
        return self._store.create(environment_id, new_id(), {"resources": {}, **fields})

    def find_many(self, environment_id: EnvironmentId, model_ids: Collection[str]) -> Mapping[str, UnifiedModel]:
        """Return models by their ids, without those that do not exist."""
        wanted = ListFilters(among=[("id", sorted(model_ids))], limit=max(1, len(model_ids)))
        return {model.id: model for model in self._store.list(environment_id, wanted).result}

    def _check_changes(
        self, environment_id: EnvironmentId, current: UnifiedModel, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Merge ``resources`` deeply, where a null takes a key away."""
        fields, failures = dict(changes), list(faults)
        if "resources" in fields:
            fields["resources"] = merge(current.resources, fields["resources"])
        if fields.get("name", current.name) != current.name:
            message = f"can not be changed: sync jobs refer to this model as '{current.name}'"
            failures.append(Failure("name", message))
        raise_for_failures([*failures, *_resource_failures(fields)])
        return fields


class InstalledModelService(CrudService[EnvironmentUnifiedModel]):
    """What an environment changes about unified models."""

    KIND = "environment unified model"

    def __init__(
        self,
        installed: Store[EnvironmentUnifiedModel],
        models: Reader[UnifiedModel],
        put: Callable[[EnvironmentId, str, str, Mapping[str, JSON] | None], EnvironmentUnifiedModel],
    ) -> None:
        """``put`` writes the row of a model, with an id and an override, or changes the one that is there."""
        super().__init__(installed)
        self._models = models
        self._put = put

    def put(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> EnvironmentUnifiedModel:
        """Create a model's row or change it: the same call twice is one row."""
        model_id = fields.get("unified_model_id", "")
        if model_id and self._models.get(environment_id, model_id) is None:
            faults = [*faults, missing_reference("unified_model_id", UnifiedModelService.KIND, model_id)]
        raise_for_failures(faults)
        return self._put(environment_id, new_id(), model_id, fields.get("override"))


def _resource_failures(fields: JsonObject) -> list[Failure]:
    return unified_model.check_resources(fields["resources"]) if "resources" in fields else []
