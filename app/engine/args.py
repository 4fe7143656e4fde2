"""The arguments of a run, checked against its job's args_schema in either of its two dialects (wire.md C6).

Flat: ``{name: {type, format, required, description, default}}``. Object: ``{type: "object", properties: {...}}``, with
a boolean ``required`` inside each property beside JSON Schema's own list.
"""

import datetime
import uuid
from collections.abc import Mapping
from typing import Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.engine.config_reader import type_name
from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject

_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("uuid", raises=ValueError)
@_FORMATS.checks("integrated_account_id", raises=ValueError)
@_FORMATS.checks("webhook_id", raises=ValueError)
@_FORMATS.checks("datastore_id", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or bool(uuid.UUID(value))


@_FORMATS.checks("date", raises=ValueError)
@_FORMATS.checks("date-time", raises=ValueError)
@_FORMATS.checks("updated_at", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.datetime.fromisoformat(value))


def schema_failures(schema: JSON, path: str = "args_schema") -> list[Failure]:
    """Tell what is wrong with an args_schema."""
    if not isinstance(schema, dict):
        return [Failure(path, f"expected an object, found {type_name(schema)}")]
    faults = [
        Failure(f"{path}.{name}", f"expected an object that describes the argument, found {type_name(value)}")
        for name, value in _properties(schema).items()
        if not isinstance(value, dict | bool)
    ]
    if faults:
        return faults
    try:
        Draft202012Validator.check_schema(_normalised(schema))
    except SchemaError as error:
        at = ".".join([path, *(str(part) for part in error.absolute_path if part != "properties")])
        return [Failure(at, error.message)]
    return []


def bind(schema: JsonObject, args: JsonObject) -> tuple[JsonObject, list[Failure]]:
    """Fill defaults in and check; give the arguments beside every fault."""
    normalised = _normalised(schema)
    bound = {**_defaults(normalised), **args}
    validator = Draft202012Validator(normalised, format_checker=_FORMATS, registry=Registry())
    try:
        errors = sorted(validator.iter_errors(bound), key=lambda error: [str(part) for part in error.absolute_path])
    except Unresolvable as error:
        return bound, [Failure("args_schema", f"holds a reference that can not be followed: {error}")]
    return bound, [failure for error in errors for failure in _failures(error)]


def _failures(error: ValidationError) -> list[Failure]:
    path = ".".join(["args", *(str(part) for part in error.absolute_path)])
    if error.validator == "required":
        # jsonschema reports each missing name in an error of its own, and names it only in its message.
        name = error.message.removesuffix(" is a required property").strip("'\"")
        return [Failure(f"{path}.{name}", "is required")]
    return [Failure(path, error.message[:300])]


def _properties(schema: JsonObject) -> Mapping[str, JSON]:
    if _is_object_schema(schema):
        properties = schema.get("properties", {})
        return properties if isinstance(properties, dict) else {}
    return schema


def _is_object_schema(schema: JsonObject) -> bool:
    """Tell the dialects apart: a flat map's values are objects, also where an argument is called "type"."""
    return (
        schema.get("type") == "object"
        or isinstance(schema.get("$ref"), str)
        or ("properties" in schema and not {"type", "required"} & set(schema["properties"] or {}))
    )


def _normalised(schema: JsonObject) -> JsonObject:
    """Turn either dialect into plain JSON Schema."""
    if not _is_object_schema(schema):
        return _as_object({"type": "object", "properties": schema})
    return _as_object({name: value for name, value in schema.items() if not _is_flag(name, value)})


def _is_flag(name: str, value: JSON) -> bool:
    return name == "required" and isinstance(value, bool)


def _as_object(schema: JsonObject) -> JsonObject:
    """Move the boolean ``required`` of properties, at any depth, into JSON Schema's list."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    flagged = [name for name, value in properties.items() if isinstance(value, dict) and value.get("required") is True]
    listed = schema.get("required", [])
    return {
        **schema,
        "properties": {name: _property(value) for name, value in properties.items()},
        "required": sorted({*flagged, *(listed if isinstance(listed, list) else [])}),
    }


def _property(value: JSON) -> JSON:
    if not isinstance(value, dict):
        return value
    return _as_object({name: inner for name, inner in value.items() if not _is_flag(name, inner)})


def _defaults(schema: JsonObject) -> JsonObject:
    properties = schema.get("properties", {})
    return {
        name: value["default"] for name, value in properties.items() if isinstance(value, dict) and "default" in value
    }
