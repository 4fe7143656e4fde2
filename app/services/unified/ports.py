"""What the services of unified APIs need from outside, beside the stores that ``app.services.crud`` describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.unified import EnvironmentUnifiedModel
from app.engine.unified.model import UnifiedName
from app.services.crud import UpdatableStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLayers:
    """A unified model and what is configured for one method of it at one integration."""

    resources: JsonObject
    """The model's."""
    base: JsonObject | None
    environment: JsonObject | None


class MappingReader(Protocol):
    """Reads unified models and their mappings."""

    def read_layers(
        self, environment_id: EnvironmentId, name: UnifiedName, *, method: str, integration_name: str
    ) -> MappingLayers | None:
        """Return what is configured for a method; None when there is no such model."""


class InstalledModelStore(UpdatableStore[EnvironmentUnifiedModel], Protocol):
    """Keeps what environments change about unified models; ``delete`` removes the environment's mappings too."""

    def put(
        self, environment_id: EnvironmentId, id: str, unified_model_id: str, override: Mapping[str, JSON] | None
    ) -> EnvironmentUnifiedModel:
        """Write a model's row, or change the one that is there."""
