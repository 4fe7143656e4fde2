"""JSON Schemas in the form that client generators support best."""

from collections.abc import Mapping
from typing import Final

from app.engine.json_types import JSON, JsonObject

NAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
COMPONENT: Final = "component"
"""In the metadata of a field: the component that describes its values."""
MAY_LACK: Final = "may_lack"
"""In the metadata of an answer's field: the field is optional."""

_NULL: Final[JsonObject] = {"type": "null"}


def ref(component: str) -> JsonObject:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{component}"}


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


def nullable(schema: Mapping[str, JSON]) -> JsonObject:
    """Return a schema that also accepts null, as one of its types, so that generators read ``T | null``."""
    described = {key: value for key, value in schema.items() if key == "description"}
    bare = {key: value for key, value in schema.items() if key not in described}
    if "anyOf" in bare:
        is_nullable = any("null" in choice.get("type", ()) for choice in bare["anyOf"])
        return {**schema, "anyOf": bare["anyOf"] if is_nullable else [*bare["anyOf"], _NULL]}
    if bare.keys() & {"$ref", "oneOf", "const", "enum"}:
        return {**described, "anyOf": [not_null(bare), _NULL]}
    if "type" in bare:
        return {**schema, "type": [*_types(bare), *(["null"] if "null" not in _types(bare) else [])]}
    return dict(schema)


def not_null(schema: Mapping[str, JSON]) -> JsonObject:
    """Return a schema that does not accept null."""
    if "anyOf" in schema:
        left = [choice for choice in schema["anyOf"] if choice != _NULL]
        described = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**described, **left[0]} if len(left) == 1 else {**described, "anyOf": left}
    made = dict(schema)
    if isinstance(made.get("type"), list):
        types = [kind for kind in made["type"] if kind != "null"]
        made["type"] = types[0] if len(types) == 1 else types
    if "enum" in made:
        made["enum"] = [word for word in made["enum"] if word is not None]
    return made


def spell_out(schema: Mapping[str, JSON]) -> JsonObject:
    """Return a schema with explicit types of its enums, and of what its objects and arrays contain."""
    made = _with_typed_words(schema) if "enum" in schema else dict(schema)
    types = made.get("type", ())
    if "object" in types and not {"properties", "additionalProperties"} & made.keys():
        made["additionalProperties"] = {}
    if "array" in types and "items" not in made:
        made["items"] = {}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = spell_out(made[key])
    if "anyOf" in made:
        made["anyOf"] = [spell_out(one) for one in made["anyOf"]]
    if "properties" in made:
        made["properties"] = {name: spell_out(one) for name, one in made["properties"].items()}
    return made


def _with_typed_words(schema: Mapping[str, JSON]) -> JsonObject:
    """Return an enum in the form that generators support: of one type, null as a type, no empty text."""
    words = [word for word in schema["enum"] if word not in ("", None)]
    others = {key: value for key, value in schema.items() if key != "enum"}
    folded = {word.lower() if isinstance(word, str) else word for word in words}
    if not words:
        made: JsonObject = {**others, "type": "null"}
    elif len(folded) < len(words):  # members of an enumeration are named without their case
        made = {**others, "type": "string"}
    elif len(words) == 1 and isinstance(words[0], bool):
        made = {**others, "type": "boolean", "const": words[0]}
    else:
        made = {**others, "type": _type_of(words[0]), "enum": words}
    return nullable(made) if words and None in schema["enum"] else made


def _types(schema: Mapping[str, JSON]) -> list[str]:
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def _type_of(value: JSON) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case _:
            return "number"
