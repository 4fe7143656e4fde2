"""Unified models, and what an environment changes about them, as the API's callers see them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel
from app.engine.unified import model as unified_model

MODEL_KIND = "unified model"
INSTALLED_KIND = "environment unified model"


class ModelStore(Protocol):
    """Keeps unified models."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON]) -> UnifiedModel:
        """Write a new model; raise InvalidInputError when its name is taken."""

    def get(self, environment_id: EnvironmentId, model_id: str) -> UnifiedModel | None:
        """Read one model."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[UnifiedModel]:
        """Read a page of models."""

    def update(
        self,
        environment_id: EnvironmentId,
        model_id: str,
        values: Mapping[str, JSON],
        *,
        version: int,
        seen: RowVersion | None = None,
    ) -> UnifiedModel | None:
        """Change a model that is still at ``version``; None when it is not, or not there."""

    def delete(self, environment_id: EnvironmentId, model_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a model with its mappings."""


class InstalledModelStore(Protocol):
    """Keeps what an environment changes about unified models."""

    def put(
        self, environment_id: EnvironmentId, id: str, unified_model_id: str, override: Mapping[str, JSON] | None
    ) -> EnvironmentUnifiedModel:
        """Write a model's row, or change the one that is there."""

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentUnifiedModel | None:
        """Read one row."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[EnvironmentUnifiedModel]:
        """Read a page of rows."""

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON], *, seen: RowVersion | None = None
    ) -> EnvironmentUnifiedModel | None:
        """Change a row."""

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a row with its mappings."""


class UnifiedModelService:
    """Unified models."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> UnifiedModel:
        """Make a model; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        checked([*faults, *_resource_failures(fields)])
        return self._models.create(environment_id, new_id(), {"resources": {}, **fields})

    def get(self, environment_id: EnvironmentId, model_id: str) -> UnifiedModel:
        """Read one model; raise NotFoundError."""
        model = self._models.get(environment_id, model_id)
        if model is None:
            raise NotFoundError(MODEL_KIND, model_id)
        return model

    def of(self, environment_id: EnvironmentId, model_ids: Collection[str]) -> Mapping[str, UnifiedModel]:
        """Read models by their ids; one that is not there is left out."""
        wanted = ListFilters(among=[("id", sorted(model_ids))], limit=max(1, len(model_ids)))
        return {model.id: model for model in self._models.list(environment_id, wanted).result}

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[UnifiedModel]:
        """Read a page of models."""
        return self._models.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        model_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        version: int | None = None,
        seen: RowVersion | None = None,
    ) -> UnifiedModel:
        """Change some fields; ``resources`` is merged deeply, where a null takes a key away."""
        current = self.get(environment_id, model_id)
        fields = dict(changes)
        if "resources" in fields:
            fields["resources"] = merge(current.resources, fields["resources"])
        if fields.get("name", current.name) != current.name:
            message = f"can not be changed: sync jobs refer to this model as '{current.name}'"
            faults = [*faults, Failure("name", message)]
        checked([*faults, *_resource_failures(fields), *version_failures(version, current.version)])
        updated = self._models.update(environment_id, model_id, fields, version=current.version, seen=seen)
        if updated is None:
            raise InvalidInputError([outdated(self.get(environment_id, model_id).version)])
        return updated

    def delete(self, environment_id: EnvironmentId, model_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a model with its mappings; raise NotFoundError."""
        if not self._models.delete(environment_id, model_id, seen=seen):
            raise NotFoundError(MODEL_KIND, model_id)
        return model_id


class InstalledModelService:
    """What an environment changes about unified models."""

    def __init__(self, installed: InstalledModelStore, models: ModelStore) -> None:
        self._installed = installed
        self._models = models

    def put(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> EnvironmentUnifiedModel:
        """Make a model's row or change it: the same call twice is one row."""
        model_id = fields.get("unified_model_id", "")
        if model_id and self._models.get(environment_id, model_id) is None:
            faults = [*faults, missing("unified_model_id", MODEL_KIND, model_id)]
        checked(faults)
        return self._installed.put(environment_id, new_id(), model_id, fields.get("override"))

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentUnifiedModel:
        """Read one row; raise NotFoundError."""
        row = self._installed.get(environment_id, id)
        if row is None:
            raise NotFoundError(INSTALLED_KIND, id)
        return row

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[EnvironmentUnifiedModel]:
        """Read a page of rows."""
        return self._installed.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> EnvironmentUnifiedModel:
        """Replace the override; raise NotFoundError."""
        self.get(environment_id, id)
        checked(faults)
        updated = self._installed.update(environment_id, id, changes, seen=seen)
        return updated or self.get(environment_id, id)

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a row with its mappings; raise NotFoundError."""
        if not self._installed.delete(environment_id, id, seen=seen):
            raise NotFoundError(INSTALLED_KIND, id)
        return id


def _resource_failures(fields: JsonObject) -> list[Failure]:
    return unified_model.check_resources(fields["resources"]) if "resources" in fields else []


def version_failures(given: int | None, present: int) -> list[Failure]:
    """Return when a version that the caller saw is another by now."""
    return [] if given in (None, present) else [outdated(present)]


def outdated(version: int) -> Failure:
    """Return of a thing that has changed meanwhile."""
    return Failure("version", f"is {version} by now: read it again before changing it")


def missing(path: str, kind: str, id: str) -> Failure:
    """Return of a reference to nothing."""
    return Failure(path, f"{kind} '{id}' does not exist", missing_reference=True)


def checked(failures: Sequence[Failure]) -> None:
    """Raise InvalidInputError when there is a failure."""
    if failures:
        raise InvalidInputError(failures)
