"""JSON Schema for arguments: the formats that Ferryman knows, and messages that repeat no value.

Arguments may hold secrets, so no message repeats what was sent.
"""

import datetime
import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry

from app.engine.config.reader import name_type
from app.engine.json_schema.patterns import is_regex
from app.engine.json_schema.validators import SECONDS_FOR_A_SCHEMA, Allowance, bound_validator, has_match
from app.engine.json_types import JSON, JsonObject

Fault = tuple[Sequence[str | int], str]

_FORMATS: Final = FormatChecker(formats=("email", "ipv4", "ipv6"))
_LONGEST_MESSAGE: Final = 300
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME: Final = re.compile(rf"{_DATE.pattern}[Tt ][0-9]{{2}}:[0-9]{{2}}.*")


@_FORMATS.checks("uuid")
@_FORMATS.checks("integrated_account_id")
@_FORMATS.checks("webhook_id")
@_FORMATS.checks("datastore_id")
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or _UUID.fullmatch(value) is not None


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or (
        _DATE_TIME.fullmatch(value) is not None and bool(datetime.datetime.fromisoformat(value.upper()))
    )


@_FORMATS.checks("date", raises=ValueError)
@_FORMATS.checks("updated_at", raises=ValueError)
def _is_date_or_date_time(value: object) -> bool:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return bool(datetime.date.fromisoformat(value))
    return _is_date_time(value)


@_FORMATS.checks("regex")
def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or is_regex(value)


def find_schema_faults(schema: JsonObject) -> Iterator[Fault]:
    """Yield every fault of a plain schema, its path and what is wrong; raise UncheckableError."""
    allowance = Allowance(_FORMATS, seconds=SECONDS_FOR_A_SCHEMA)
    validator = _SchemaValidator(Draft202012Validator.META_SCHEMA, format_checker=allowance)
    return _find_faults(validator, schema, allowance)


def find_value_faults(schema: JsonObject, value: JSON) -> Iterator[Fault]:
    """Yield every fault of a value.

    Raise RecursionError where value and schema go too deep, or without end; UncheckableError where they take too long.
    """
    allowance = Allowance(_FORMATS)
    # An empty registry, unlike the default one, fetches nothing.
    validator = _ArgsValidator(schema, format_checker=allowance, registry=Registry())
    return _find_faults(validator, value, allowance)


def _find_faults(validator: Draft202012Validator, value: JSON, allowance: Allowance) -> Iterator[Fault]:
    for error in validator.iter_errors(value):
        allowance.spend()
        deepest = best_match([error]) or error
        yield deepest.absolute_path, _describe_fault(deepest)


def _describe_fault(error: ValidationError) -> str:
    limit: JSON = error.validator_value
    match error.validator:
        case "required" | "additionalProperties":
            return error.message
        case "type":
            return f"expected {' or '.join([limit] if isinstance(limit, str) else limit)}, found {_name_kind(error)}"
        case "enum":
            return _shorten(f"expected one of {', '.join(map(_write_json, limit))}")
        case "format":
            return f"expected the format {limit}"
        case "anyOf" | "oneOf" if error.context:
            return _shorten(" or ".join(dict.fromkeys(_describe_fault(cause) for cause in error.context)))
        case keyword:
            return _shorten(f"does not satisfy {keyword}: {_write_json(limit)}")


def _name_kind(error: ValidationError) -> str:
    return "null" if error.instance is None else name_type(error.instance)


def _write_json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shorten(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def _check_required(
    validator: Draft202012Validator, names: Sequence[str], value: JSON, schema: JsonObject
) -> Iterator[ValidationError]:
    """Report at the path of what is missing; the library's own keyword names it in the message only."""
    if validator.is_type(value, "object"):
        yield from (ValidationError("is required", path=[name]) for name in names if name not in value)


def _check_additional_properties(
    validator: Draft202012Validator, allowed: JSON, value: JSON, schema: JsonObject
) -> Iterator[ValidationError]:
    """Report each name that is not allowed at its own path; the library's own keyword puts all into one message."""
    for name in _list_additional_names(validator, value, schema) if validator.is_type(value, "object") else []:
        if allowed is False:
            yield ValidationError("is not expected here", path=[name])
        elif isinstance(allowed, dict):
            yield from validator.descend(value[name], allowed, path=name)


def _list_additional_names(validator: Draft202012Validator, value: JsonObject, schema: JsonObject) -> list[str]:
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    return [
        name for name in value if name not in named and not any(has_match(validator, one, name) for one in patterns)
    ]


_SchemaValidator: Final[type[Draft202012Validator]] = bound_validator(Draft202012Validator)
_ArgsValidator: Final[type[Draft202012Validator]] = bound_validator(
    Draft202012Validator, required=_check_required, additionalProperties=_check_additional_properties
)
