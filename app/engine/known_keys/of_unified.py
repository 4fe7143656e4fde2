"""The keys of a unified model's resources, and of the mappings of their methods."""

from typing import Final

from app.engine.known_keys.shapes import EXPRESSION, OBJECT, Fields, Key, MapOf, Use, choice, kept, reading
from app.engine.unified.model import SLUG

_CHOSEN: Final = {
    "type": ["string", "object", "null"],
    "minLength": 1,
    "required": ["expression"],
    "properties": {"expression": {"type": "string", "minLength": 1}},
}


_SLUG: Final = f"^{SLUG.pattern}$"
_METHOD: Final = {"type": "string", "pattern": _SLUG}
_NAMED_METHOD: Final = {"type": "object", "required": ["name"], "properties": {"name": _METHOD}}


def _refuse(meaning: str) -> Key:
    return Key(meaning=meaning, use=Use.REFUSED)


MAPPING: Final = Fields(
    keys={
        "resource": reading("The integration's resource, or `{expression, resources}`.", _CHOSEN),
        "method": reading("The integration's method, or `{expression, methods}`.", _CHOSEN),
        "response_mapping": reading("JSONata: makes a record of the integration's `response`.", EXPRESSION),
        "response_mapping_method": reading("`array`: all records of a page at once.", choice("item", "array")),
        "query": reading(
            "Parameters of every request, or JSONata that makes them.", {"type": ["object", "string", "null"]}
        ),
        "query_mapping": reading("JSONata: makes the integration's query of the caller's.", EXPRESSION),
        "query_schema": kept("JSON Schema of the caller's query, for people and for AI agents."),
        "body": reading("Laid under what `request_body_mapping` makes.", OBJECT),
        "request_body_mapping": reading("JSONata: makes the integration's body of the caller's.", EXPRESSION),
        "request_body_schema": kept("JSON Schema of the caller's body, for people and for AI agents."),
        "path_mapping": reading("JSONata: makes the path that is asked instead.", EXPRESSION),
        "error_mapping": reading("JSONata: makes `message`, `code` and `status` of an error.", EXPRESSION),
        "request_header_mapping": reading("JSONata: makes headers of the request.", EXPRESSION),
        "response_header_mapping": reading("JSONata: makes headers of the answer.", EXPRESSION),
        "is_partial_expression": reading("JSONata: whether something is missing in a page.", EXPRESSION),
        "description": kept("What it does, for people and for AI agents."),
        "before": _refuse("Requests that are sent before."),
        "after": _refuse("Requests that are sent afterwards."),
        "side_load": _refuse("Records that are fetched beside."),
        "file_upload": _refuse("A file that is sent."),
    }
)
MODEL_RESOURCES: Final = MapOf(
    name="resources",
    pattern=_SLUG,
    inner=Fields(
        is_open=True,
        keys={
            "schema": reading("JSON Schema of its records.", OBJECT),
            "description": kept("What it is."),
            "methods": reading(
                "Its methods, the usual five unless they are listed.",
                {"type": ["array", "null"], "items": {"anyOf": [_METHOD, _NAMED_METHOD]}},
            ),
            "documentation": kept("What else there is to say of it."),
        },
    ),
)
OVERRIDES: Final = MapOf(name="models", inner=MapOf(name="resources", inner=MapOf(name="methods", inner=MAPPING)))
