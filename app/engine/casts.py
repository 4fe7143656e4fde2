"""What a placeholder's cast makes of a value (wire.md C5: JavaScript's rules, without their surprises)."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from app.engine.errors import PlaceholderError
from app.engine.json_types import JSON

_INT: Final = re.compile(r"\s*([+-]?\d+)")
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


def text_of(value: JSON, path: str) -> str:
    """Write a value as text, as JavaScript would; raise PlaceholderError for an object, which has no useful text."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case int() | float():
            return str(value)
        case list():
            return ",".join("" if item is None else text_of(item, path) for item in value)
        case _:
            message = f"'{path}' is an object, which has no text: use '{path}:json', or name a field of it"
            raise PlaceholderError(path, message)


def _to_text(value: JSON, path: str) -> JSON:
    return None if value is None else text_of(value, path)


def _to_int(value: JSON, path: str) -> JSON:
    match value:
        case bool():
            return value
        case int():
            return value
        case float():
            return int(value)
        case str() if found := _INT.match(value):
            return int(found[1])
        case _:
            return value


def _to_number(value: JSON, path: str) -> JSON:
    if isinstance(value, str) and (found := _NUMBER.match(value)):
        number = float(found[1])
        return int(number) if number.is_integer() and "e" not in found[1].lower() and "." not in found[1] else number
    return value


def _to_bool(value: JSON, path: str) -> JSON:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _to_json(value: JSON, path: str) -> JSON:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _as_is(value: JSON, path: str) -> JSON:
    return value


CASTS: Final[Mapping[str, Callable[[JSON, str], JSON]]] = {
    "str": _to_text,
    "int": _to_int,
    "num": _to_number,
    "bool": _to_bool,
    "json": _to_json,
    "any": _as_is,
    "null": _as_is,
    "undefined": _as_is,
}
