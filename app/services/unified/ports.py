"""What the services of unified APIs need from outside, beside the stores that ``app.services.crud`` describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.unified import EnvironmentUnifiedModel
from app.services.crud import UpdatableStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLayers:
    """A unified model and what is configured for one method of it at one integration."""

    resources: JsonObject
    """The model's."""
    base: JsonObject | None
    environment: JsonObject | None


class InstalledModelStore(UpdatableStore[EnvironmentUnifiedModel], Protocol):
    """Keeps what environments change about unified models; ``delete`` removes the environment's mappings too."""

    def put(
        self, environment_id: EnvironmentId, id: str, unified_model_id: str, override: Mapping[str, JSON] | None
    ) -> EnvironmentUnifiedModel:
        """Write a model's row, or change the one that is there."""
