"""OpenAPI descriptions of what the services check whole: a job's resources and args_schema, an integration's config."""

from typing import Any, Final

_TEXT: Final = {"type": "string", "minLength": 1}

RESOURCE_LIST: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["resource", "method"],
        "properties": {
            "resource": {
                **_TEXT,
                "description": "What to sync: the integration's name for it, or `model/resource` of a unified API.",
            },
            "method": {**_TEXT, "description": "list, get, create, update, delete or a custom method."},
            "name": {**_TEXT, "description": "What others depend on; the resource by default."},
            "id": {"type": "string", "description": "The one record that is meant; holds placeholders."},
            "query": {
                "oneOf": [{"type": "object"}, {"type": "string"}],
                "description": "Query parameters whose values hold placeholders, or JSONata that gives them.",
            },
            "body": {"type": ["object", "string"], "description": "What is sent; holds placeholders."},
            "loop_on": {"type": "string", "description": "An array: the request is repeated for each element."},
            "depends_on": {
                "type": "string",
                "description": "The parent: the request is repeated for each record.",
            },
            "persist": {"type": "boolean", "description": "Keep the records, or send them to the webhook."},
        },
    },
}
ARGS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "JSON Schema of the run's args, or {name: {type, format, required, default, description}}.",
}
CONFIG: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["base_url"],
    "properties": {
        "base_url": {**_TEXT, "pattern": "^https?://"},
        "headers": {"type": "object"},
        "query": {"type": "object"},
        "authorization": {"type": "object", "description": "{format: bearer | header | basic, config}"},
        "pagination": {"type": "object", "description": "{format: page | cursor | offset | link_header, config}"},
        "resources": {"type": "object", "description": "{resource: {method: {path, method, response_path, ...}}}"},
    },
}
CONFIG_CHANGE: Final[dict[str, Any]] = {"type": "object", "description": "Merged deeply; null takes a key away."}
