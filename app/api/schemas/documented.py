"""OpenAPI descriptions of what the services check whole: a job's resources and args_schema, an integration's config."""

from typing import Any, Final

NAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^{}]+$"}
_NULLABLE_NAME: Final[dict[str, Any]] = {**_NAME, "type": ["string", "null"]}
_OBJECT_OR_NOTHING: Final = {"type": ["object", "null"]}

RESOURCE_LIST: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1000,
    "items": {
        "type": "object",
        "required": ["resource", "method"],
        "properties": {
            "resource": {
                **_NAME,
                "description": "What to sync: the integration's name for it, or `model/resource` of a unified API.",
            },
            "method": {**_TEXT, "description": "list, get, create, update, delete or a custom method."},
            "name": {**_NULLABLE_NAME, "description": "What others depend on; the resource by default."},
            "type": {
                "enum": ["request", "transform", "spool", None],
                "description": "transform and spool work on what `depends_on` gives, and ask nothing.",
            },
            "id": {
                "type": ["string", "integer", "null"],
                "minLength": 1,
                "description": "The one record that is meant; holds placeholders.",
            },
            "query": {
                "type": ["object", "string", "null"],
                "description": "Query parameters whose values hold placeholders, or JSONata that gives them.",
            },
            "body": {
                "type": ["object", "array", "string", "null"],
                "description": "What is sent, with placeholders; a text without any is JSONata that gives it.",
            },
            "loop_on": {
                "type": ["string", "object", "null"],
                "description": "The path of an array, or `{{path}}`: the request is repeated for each element.",
            },
            "depends_on": {
                "type": ["string", "array", "null"],
                "items": {"type": "string"},
                "maxItems": 1,
                "description": "The parent: the request is repeated for each record.",
            },
            "persist": {
                "type": ["boolean", "null"],
                "description": "Keep the records, or send them to the webhook.",
            },
            "recurse": {**_OBJECT_OR_NOTHING, "description": "{if, config: {id, query}}"},
            "include_from_parent": {
                "type": ["array", "object", "null"],
                "items": _TEXT,
                "description": "Fields of the parent that records get, and that are a part of their ids.",
            },
            "delete_tracking": {"enum": ["soft", "hard", "", None]},
            "deleted_when": {
                "type": ["string", "null"],
                "description": "JSONata over a record: one for which it is true is deleted, not kept.",
            },
        },
    },
}
ARGS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "JSON Schema of the run's args, or {name: {type, format, required, default, description}}.",
}
_FORMAT_CONFIG: Final[dict[str, Any]] = {"type": ["object", "null"], "description": "What the format needs."}
CONFIG: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["base_url"],
    "properties": {
        "base_url": {**_TEXT, "pattern": r"^(https?://[^/?#\s]|\{\{)", "description": "May hold placeholders."},
        "headers": _OBJECT_OR_NOTHING,
        "query": _OBJECT_OR_NOTHING,
        "authorization": {
            "type": ["object", "null"],
            "required": ["format"],
            "properties": {"format": {"enum": ["bearer", "header", "basic"]}, "config": _FORMAT_CONFIG},
        },
        "pagination": {
            "type": ["object", "null"],
            "required": ["format"],
            "properties": {
                "format": {"enum": ["page", "cursor", "link_header", "offset", "range", "dynamic"]},
                "config": _FORMAT_CONFIG,
            },
        },
        "resources": {
            **_OBJECT_OR_NOTHING,
            "description": "{resource: {method: {path, method, response_path, ...}}}",
            "additionalProperties": {"type": "object", "additionalProperties": {"type": "object"}},
        },
    },
}
CONFIG_CHANGE: Final[dict[str, Any]] = {"type": "object", "description": "Merged deeply; null takes a key away."}
