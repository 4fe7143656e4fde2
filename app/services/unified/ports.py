"""What the services of unified APIs need from outside, beside the stores that ``app.services.crud`` describes."""

from dataclasses import dataclass

from app.engine.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLayers:
    """A unified model and what is configured for one method of it at one integration."""

    resources: JsonObject
    """The model's."""
    base: JsonObject | None
    environment: JsonObject | None
