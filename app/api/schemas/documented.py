"""OpenAPI descriptions of what the services check whole, by the components that ``documents.shapes`` makes."""

from typing import Final

from app.api.schemas.json_kinds import NAME_PATTERN, ref
from app.engine.json_types import JsonObject

__all__ = ["ARGS_SCHEMA", "NAME_PATTERN", "RESOURCE_LIST", "STORED_RESOURCES"]

STORED_RESOURCES: Final[JsonObject] = {"type": "array", "items": ref("JobItem")}
RESOURCE_LIST: Final[JsonObject] = {
    **STORED_RESOURCES,
    "minItems": 1,
    "maxItems": 1000,
    "description": "What to pull, item by item.",
}
ARGS_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "additionalProperties": {},
    "description": "JSON Schema of the run's args, or `{name: {type, format, required, default, description}}`.",
}
