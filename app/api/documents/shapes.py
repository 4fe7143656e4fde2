"""The shapes of what is configured in JSON (``engine.known_keys``), as components of the document."""

from collections.abc import Iterator, Mapping
from typing import Final

from app.api.schemas.json_kinds import not_null, nullable, ref, spell_out
from app.engine.jobs.definition import OF_REQUESTS
from app.engine.jobs.items import NodeKind
from app.engine.json_types import JsonObject
from app.engine.known_keys.of_credentials import AUTHORIZATION, CREDENTIALS
from app.engine.known_keys.of_integrations import INTEGRATION, METHOD
from app.engine.known_keys.of_items import ITEM
from app.engine.known_keys.of_paging import PAGINATION, RATE_LIMIT
from app.engine.known_keys.of_unified import MAPPING, MODEL_RESOURCES, OVERRIDES
from app.engine.known_keys.shapes import CONFIG, FORMAT, ByFormat, Fields, Formatted, Key, ListOf, MapOf, Shape, Use

_NAMED: Final[tuple[tuple[Shape, str], ...]] = (
    (INTEGRATION, "IntegrationConfig"),
    (METHOD, "MethodConfig"),
    (PAGINATION, "Pagination"),
    (AUTHORIZATION, "Authorization"),
    (CREDENTIALS, "Credentials"),
    (CREDENTIALS.one.formats["api_key"], "CredentialsForm"),
    (CREDENTIALS.one.formats["oauth2"], "OAuth2Config"),
    (RATE_LIMIT, "RateLimit"),
    (MAPPING, "MappingConfig"),
    (MODEL_RESOURCES, "UnifiedModelResources"),
    (MODEL_RESOURCES.inner, "UnifiedModelResource"),
    (OVERRIDES, "MappingOverrides"),
)
"""Those that are components of their own; others stand where they are used."""

_EXPRESSION_PLACE: Final = "config"
"""Where a transform has its expression."""
_TRANSFORM_CONFIG: Final[JsonObject] = {
    "type": "object",
    "description": "How it makes its records.",
    "properties": {
        "expression": {
            "type": "string",
            "minLength": 1,
            "description": "JSONata over `records`, `resources`, `args` and `context`; returns the new records.",
        }
    },
    "required": ["expression"],
}
_OF_NODES: Final = {
    "name": "What others call it.",
    "depends_on": "The name of the item whose batches it works on.",
    "resource": "What its records are kept as; its parent's by default.",
}
"""Descriptions of keys that have another meaning in a request."""


def components() -> Iterator[tuple[str, JsonObject]]:
    """Yield every component, each behind its name."""
    for shape, name in _NAMED:
        yield from _component(shape, name)
    yield "IntegrationConfigChange", _change(INTEGRATION)
    yield from _items()


def schema_of(shape: Shape) -> JsonObject:
    """Return the schema of a shape, which is a reference where it is a component."""
    for named, name in _NAMED:
        if named == shape:
            return ref(name)
    return _inline_schema(shape)


def _inline_schema(shape: Shape) -> JsonObject:
    match shape:
        case Fields():
            return _object(shape.keys)
        case MapOf(inner=inner, pattern=pattern, beside=beside):
            names = {} if pattern is None else {"propertyNames": {"pattern": pattern}}
            known = {"properties": {name: _value(key) for name, key in beside.items()}} if beside else {}
            return {"type": "object", **known, "additionalProperties": schema_of(inner), **names}
        case ListOf(inner=inner):
            return {"type": "array", "items": schema_of(inner)}
        case Formatted() | ByFormat():
            raise TypeError("a shape that depends on its format is a component")


def _component(shape: Shape, name: str) -> Iterator[tuple[str, JsonObject]]:
    match shape:
        case Fields():
            yield name, _inline_schema(shape)
        case Formatted():
            yield from _one_of_formats(shape, name)
        case ByFormat(one=one):
            single, several = f"{name}OfOneFormat", f"{name}ByFormat"
            yield name, {"anyOf": [ref(single), ref(several)]}
            yield several, _by_format(one)
            yield from _one_of_formats(one, single, suffix=name)
        case MapOf() | ListOf():
            yield name, _inline_schema(shape)


def _one_of_formats(shape: Formatted, name: str, suffix: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Yield one component per format, and one that is any of them."""
    names = {kind: f"{_camel(kind)}{suffix or name}" for kind in shape.formats}
    mapping = {kind: ref(one)["$ref"] for kind, one in names.items()}
    yield (
        name,
        {
            "oneOf": [ref(one) for one in names.values()],
            "discriminator": {"propertyName": FORMAT, "mapping": mapping},
            "description": f"`{FORMAT}` says what `{CONFIG}` holds; the same keys may stand beside `{FORMAT}` instead.",
        },
    )
    for kind, fields in shape.formats.items():
        yield (
            names[kind],
            {
                "type": "object",
                "required": [FORMAT],
                "properties": {FORMAT: {"type": "string", "const": kind}, CONFIG: schema_of(fields)},
            },
        )


def _by_format(shape: Formatted) -> JsonObject:
    """Return an object that has one entry per format."""
    entries = {
        kind: {"type": "object", "properties": {CONFIG: schema_of(fields)}} for kind, fields in shape.formats.items()
    }
    return {"type": "object", "properties": entries, "additionalProperties": False}


def _items() -> Iterator[tuple[str, JsonObject]]:
    """Yield the kinds of items; transforms and spools lack the keys of requests."""
    of_requests = {name: _value(key) for name, key in ITEM.keys.items() if name != _EXPRESSION_PLACE}
    of_nodes = {
        name: _value(key)
        for name, key in ITEM.keys.items()
        if name not in (*OF_REQUESTS, "method") and key.use is not Use.UNSERVED
    }
    of_nodes |= {name: {**of_nodes[name], "description": text} for name, text in _OF_NODES.items()}
    of_spools = {name: one for name, one in of_nodes.items() if name not in (_EXPRESSION_PLACE, "deleted_when")}
    yield "JobItem", {"oneOf": [ref("RequestItem"), ref("TransformItem"), ref("SpoolItem")]}
    yield "RequestItem", _item(NodeKind.REQUEST, of_requests, "Asks the upstream.", required=("resource", "method"))
    yield (
        "TransformItem",
        _item(
            NodeKind.TRANSFORM,
            {**of_nodes, _EXPRESSION_PLACE: _TRANSFORM_CONFIG},
            "Makes other records of each batch of its parent's.",
            required=("type", "name", "depends_on", _EXPRESSION_PLACE),
        ),
    )
    yield (
        "SpoolItem",
        _item(
            NodeKind.SPOOL,
            of_spools,
            "Collects all batches of its parent and passes them on as one.",
            required=("type", "name", "depends_on"),
        ),
    )


def _item(kind: NodeKind, properties: JsonObject, description: str, *, required: tuple[str, ...]) -> JsonObject:
    """Return the schema of one kind of item; ``type`` is optional for a request."""
    word: JsonObject = {"type": "string", "enum": [str(kind)]}
    kind_schema = {"type": word if "type" in required else nullable(word)}
    needed = {name: not_null(properties[name]) for name in required if name != "type"}
    return {
        "type": "object",
        "description": description,
        "properties": {**properties, **needed, **kind_schema},
        "required": list(required),
        "additionalProperties": False,
    }


def _object(keys: Mapping[str, Key]) -> JsonObject:
    """Return the schema of an object of known keys and no others."""
    served = {name: key for name, key in keys.items() if key.use is not Use.REFUSED}
    required = [name for name, key in served.items() if key.is_required]
    made: JsonObject = {
        "type": "object",
        "properties": {name: _value(key) for name, key in served.items()},
        "additionalProperties": False,
    }
    return {**made, "required": required} if required else made


def _value(key: Key) -> JsonObject:
    schema = spell_out(key.value) if key.inner is None else schema_of(key.inner)
    schema = schema if key.is_required else nullable(schema) if schema else schema
    unserved = {"deprecated": True} if key.use is Use.UNSERVED else {}
    said = f"Accepted, and does nothing here. {key.meaning}" if unserved else key.meaning
    return {**schema, "description": said, **unserved}


def _change(fields: Fields) -> JsonObject:
    """Return the schema of a change: objects are merged deeply, null takes a key away, nothing is required."""
    changes = {}
    for name, key in fields.keys.items():
        value = _value(key)
        free = {"type": ["object", "null"], "additionalProperties": {}} if key.inner is not None else nullable(value)
        changes[name] = {**free, "description": value["description"]}
    return {
        "type": "object",
        "properties": changes,
        "additionalProperties": False,
        "description": "Merged deeply into the config; null takes a key away.",
    }


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))
