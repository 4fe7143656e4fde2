"""The two dialects of an args_schema, turned into plain JSON Schema (wire.md C6).

Flat: ``{name: {type, format, required, description, default}}``. Object: ``{type: "object", properties: {...}}``. In
both, a property may say ``required: true`` of itself, beside JSON Schema's own list of names.
"""

from collections.abc import Iterator
from typing import Final

from app.engine.json_types import JSON, JsonObject

# Under these names a flat map holds an argument's description, an object; JSON Schema holds anything else there.
_TOP_KEYWORDS: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "description", "title", "default"}
    | {"$ref", "$schema", "$id", "allOf", "anyOf", "oneOf"}
)

# Where JSON Schema holds schemas. Elsewhere (default, enum, const, examples) is data, which must stay unchanged.
_SCHEMAS: Final = frozenset(
    {"items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "propertyNames"}
    | {"not", "if", "then", "else"}
)
_LISTS_OF_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS_OF_SCHEMAS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})


def is_flat(schema: JsonObject) -> bool:
    """Whether a schema is of the flat dialect; an argument may be called ``type`` or ``properties``."""
    if any(name in _TOP_KEYWORDS and not isinstance(value, dict) for name, value in schema.items()):
        return False
    properties = schema.get("properties")
    return properties is None or not all(isinstance(value, dict | bool) for value in properties.values())


def normalise_schema(schema: JsonObject) -> JsonObject:
    """Turn either dialect into plain JSON Schema; what is wrong in it stays wrong."""
    return _normalise_object({"type": "object", "properties": schema} if is_flat(schema) else schema)


def walk_subschemas(schema: JSON, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """Walk a plain schema and all schemas within it, each with the path to it."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for name, value in schema.items():
        if name in _SCHEMAS:
            yield from walk_subschemas(value, (*at, name))
        elif name in _LISTS_OF_SCHEMAS and isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk_subschemas(item, (*at, name, str(index)))
        elif name in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            for key, item in value.items():
                yield from walk_subschemas(item, (*at, name, key))


def _normalise(schema: JSON) -> JSON:
    return _normalise_object(schema) if isinstance(schema, dict) else schema


def _normalise_object(schema: JsonObject) -> JsonObject:
    plain = {
        name: _normalise_keyword(name, value)
        for name, value in schema.items()
        if not (name == "required" and isinstance(value, bool))
    }
    flagged = _list_flagged_names(schema.get("properties"))
    listed = plain.get("required", [])
    if flagged and isinstance(listed, list):
        named = {name for name in listed if isinstance(name, str)}
        plain["required"] = listed + [name for name in flagged if name not in named]
    return plain


def _normalise_keyword(name: str, value: JSON) -> JSON:
    if name in _SCHEMAS:
        return _normalise(value)
    if name in _LISTS_OF_SCHEMAS and isinstance(value, list):
        return [_normalise(item) for item in value]
    if name in _MAPS_OF_SCHEMAS and isinstance(value, dict):
        return {key: _normalise(item) for key, item in value.items()}
    return value


def _list_flagged_names(properties: JSON) -> list[str]:
    if not isinstance(properties, dict):
        return []
    return [name for name, value in properties.items() if isinstance(value, dict) and value.get("required") is True]
