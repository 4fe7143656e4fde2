"""Unified models, what environments change about them, and the mappings of their methods."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.api.schemas.catalog import SLUG
from app.api.schemas.documented import NAME_PATTERN
from app.api.schemas.fields import Id, Input, JsonObjectField, SortedListing, Time, Whole, narrowed

_TIMES: Final = ("created_at", "updated_at")
_NAME: Final = validate.Length(min=1, max=100)
_VERSION: Final = {"description": "The version that you saw; refused when it is another by now."}
_METHOD: Final = {"type": "string", "pattern": NAME_PATTERN}
_NAMED_METHOD: Final = {"type": "object", "required": ["name"], "properties": {"name": _METHOD}}
_RESOURCES: Final = {
    "type": "object",
    "description": "{name: {schema, description, methods: [name]}}; without methods: the usual five.",
    "patternProperties": {
        NAME_PATTERN: {
            "type": "object",
            "properties": {
                "schema": {"type": ["object", "null"], "description": "JSON Schema of its records."},
                "description": {},
                "methods": {"type": ["array", "null"], "items": {"anyOf": [_METHOD, _NAMED_METHOD]}},
            },
        },
    },
    "additionalProperties": False,
}
_EXPRESSION: Final = {"type": ["string", "null"], "description": "JSONata."}
_OBJECT: Final = {"type": ["object", "null"]}
_CHOSEN: Final[dict[str, Any]] = {
    "type": ["string", "object", "null"],
    "minLength": 1,
    "required": ["expression"],
    "properties": {"expression": {"type": "string", "minLength": 1}},
}
_CONFIG: Final[dict[str, Any]] = {
    "type": "object",
    "description": "How the integration carries the method out; the mappings are JSONata.",
    "properties": {
        "resource": {**_CHOSEN, "description": "The integration's resource, or {expression, resources}."},
        "method": {**_CHOSEN, "description": "The integration's method, or {expression, methods}."},
        "description": {},
        "response_mapping": _EXPRESSION,
        "response_mapping_method": {"enum": ["item", "array", None]},
        "query": {"type": ["object", "string", "null"], "description": "An object, or JSONata that gives one."},
        "query_mapping": _EXPRESSION,
        "query_schema": {},
        "body": _OBJECT,
        "request_body_mapping": _EXPRESSION,
        "request_body_schema": {},
        "path_mapping": _EXPRESSION,
        "error_mapping": _EXPRESSION,
        "request_header_mapping": _EXPRESSION,
        "response_header_mapping": _EXPRESSION,
    },
    "additionalProperties": False,
}


class UnifiedModelPatch(Input):
    """A change of a unified model; its resources are merged deeply, and null takes a key away."""

    name = fields.String(validate=SLUG, metadata={"description": "Can not be changed; the present one is accepted."})
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=validate.OneOf(["deny", "ask", "allow"]))
    resources = fields.Raw(metadata=_RESOURCES)
    version = Whole(metadata=_VERSION)


class NewUnifiedModel(Input):
    """A unified model to create."""

    name = fields.String(required=True, validate=SLUG)
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=validate.OneOf(["deny", "ask", "allow"]))
    resources = fields.Raw(metadata=_RESOURCES)


class UnifiedModel(Schema):
    """A unified model."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String()
    resources = JsonObjectField()
    version = fields.Integer()
    installed_environment = fields.List(
        Id(), metadata={"description": "The environment that has it, which may use whatever it has."}
    )
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


UnifiedModelQuery = narrowed(
    SortedListing,
    "UnifiedModelQuery",
    {"name": fields.String(), "category": fields.String(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at", "name"),
)


class InstalledModelPatch(Input):
    """A change of what an environment changes about a unified model."""

    override = JsonObjectField(metadata={"description": "Replaced whole."})


class NewInstalledModel(InstalledModelPatch):
    """A unified model to install into the environment; sent twice it is one."""

    unified_model_id = Id(required=True)


class InstalledModel(Schema):
    """What an environment changes about a unified model."""

    id = Id()
    unified_model_id = Id()
    unified_model = fields.Nested(UnifiedModel)
    override = JsonObjectField()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


InstalledModelQuery = narrowed(
    SortedListing,
    "InstalledModelQuery",
    {"unified_model_id": Id(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at",),
)


class MappingPatch(Input):
    """A change of a mapping; its config is merged deeply, and null takes a key away."""

    config = fields.Raw(metadata=_CONFIG)
    resource_name = fields.String(validate=_NAME)
    integration_name = fields.String(validate=_NAME)
    method_name = fields.String(validate=_NAME)
    version = Whole(metadata=_VERSION)


class _NewPlace(Input):
    resource_name = fields.String(required=True, validate=_NAME)
    integration_name = fields.String(required=True, validate=_NAME)
    method_name = fields.String(required=True, validate=_NAME)
    config = fields.Raw(metadata=_CONFIG)


class NewMapping(_NewPlace):
    """A mapping to create."""

    unified_model_id = Id(required=True)


class NewEnvironmentMapping(_NewPlace):
    """A mapping of an environment's, to be laid over the base."""

    environment_unified_model_id = Id(required=True)


class Mapping(Schema):
    """How an integration carries out one method of a unified model."""

    id = Id()
    unified_model_id = Id()
    resource_name = fields.String()
    integration_name = fields.String()
    method_name = fields.String()
    config = JsonObjectField()
    version = fields.Integer()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class EnvironmentMapping(Mapping):
    """The same, as an environment has it."""

    environment_unified_model_id = Id()


_place: dict[str, fields.Field[Any]] = {
    "resource_name": fields.String(),
    "integration_name": fields.String(),
    "method_name": fields.String(),
    "environment_id": Id(),
}
_place_sorts: Final = ("updated_at", "resource_name", "integration_name", "method_name")
MappingQuery = narrowed(
    SortedListing, "MappingQuery", {"unified_model_id": Id(), **_place}, times=_TIMES, sorts=_place_sorts
)
EnvironmentMappingQuery = narrowed(
    SortedListing,
    "EnvironmentMappingQuery",
    {"environment_unified_model_id": Id(), **_place},
    times=_TIMES,
    sorts=_place_sorts,
)
