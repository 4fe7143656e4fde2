"""The casts of placeholders (wire.md C5: JavaScript's rules, without what JSON can not hold).

Every cast but ``str``, ``segment`` and ``encoded`` takes away the whitespace around a text, and leaves what it can not
read; only text of an object is an error, a ValueError.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, NoReturn
from urllib.parse import quote

from app.engine.json_types import JSON
from app.engine.json_values import make_storable
from app.engine.paths import UNDEFINED

# What parseInt and parseFloat read: the longest prefix that is a number. JavaScript knows ASCII digits only.
_INTEGER: Final = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))")
_NUMBER: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")

# What JavaScript takes for whitespace.
_SPACE: Final = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))

# From here on JavaScript writes numbers with an exponent, and below 1e-6 too.
_LARGE: Final = 1e21
_SMALL: Final = 1e-6


def cast_whole(value: JSON, cast: str) -> JSON:
    """Cast a value that is a whole placeholder; raise ValueError for text of an object."""
    return CASTS[cast](value)


def cast_within_text(value: JSON, cast: str) -> str:
    """Cast a value and write it as text; raise ValueError for an object.

    ``json`` reads whole values only: within text, a text that holds JSON stays as it was written.
    """
    return write_text(_strip(value) if cast == "json" else CASTS[cast](value))


def write_text(value: JSON) -> str:
    """Write a value as JavaScript would; undefined is empty. Raise ValueError for an object."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _write_float(value)
        case int():
            return str(value)
        case list():
            return ",".join("" if item is None else write_text(item) for item in value)
        case _ if value is UNDEFINED:
            return ""
        case _:
            raise ValueError(
                "an object has no text: name a field of it, or let the placeholder be the whole value and add ':json'"
            )


def _write_float(value: float) -> str:
    if value.is_integer() and abs(value) < _LARGE:
        return str(int(value))
    if _SMALL <= abs(value) < _LARGE:
        return f"{Decimal(repr(value)):f}"
    # Python pads the exponent to two digits, JavaScript does not.
    return re.sub(r"e([+-])0+", r"e\1", repr(value))


def _cast_to_text(value: JSON) -> JSON:
    return None if value is None else _write_listed_text(value)


def _write_listed_text(value: JSON) -> str:
    """Write a value as the cast does: unlike JavaScript's own text of an array, it names what is null in one."""
    if isinstance(value, list):
        return ",".join("null" if item is None else _write_listed_text(item) for item in value)
    return write_text(value)


def _cast_to_integer(value: JSON) -> JSON:
    match value:
        case float() if math.isfinite(value):
            return int(value)
        case str() if found := _INTEGER.match(value.strip(_SPACE)):
            sign, hexadecimal, decimal = found.groups()
            return _parse_integer(sign + (hexadecimal or decimal), 16 if hexadecimal else 10, _strip(value))
        case _:
            return _strip(value)


def _parse_integer(digits: str, radix: int, otherwise: JSON) -> JSON:
    try:
        return int(digits, radix)
    except ValueError:  # Python refuses thousands of digits, which would take it seconds.
        return otherwise


def _cast_to_number(value: JSON) -> JSON:
    if isinstance(value, str):
        text = value.strip(_SPACE)
        found = _NUMBER.match(text)
        return _parse_number(found[1], text) if found else text
    return value


def _parse_number(digits: str, otherwise: JSON) -> JSON:
    number = float(digits)
    if not math.isfinite(number):
        return otherwise
    if digits.lstrip("+-").isdigit():
        return int(digits)  # A float would round an id of more than 15 digits.
    return int(number) if number.is_integer() and abs(number) < _LARGE else number


def _cast_to_boolean(value: JSON) -> JSON:
    found = _strip(value)
    return {"true": True, "false": False}.get(found, found) if isinstance(found, str) else found


def _cast_to_json(value: JSON) -> JSON:
    if not isinstance(value, str):
        return value
    text = value.strip(_SPACE)
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_parse_finite)
        # Only an escape can stand for what the text itself can not hold.
        return make_storable(found) if r"\u" in text else found
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> NoReturn:
    """Python's reader takes NaN and Infinity, which JSON does not have."""
    raise ValueError(constant)


def _parse_finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _cast_to_null(value: JSON) -> JSON:
    found = _strip(value)
    return None if found == "null" else found


def _cast_to_segment(value: JSON) -> JSON:
    return None if value is None else quote(_write_listed_text(value), safe="", errors="replace")


def _strip(value: JSON) -> JSON:
    return value.strip(_SPACE) if isinstance(value, str) else value


CASTS: Final[Mapping[str, Callable[[JSON], JSON]]] = {
    "str": _cast_to_text,
    "int": _cast_to_integer,
    "num": _cast_to_number,
    "bool": _cast_to_boolean,
    "json": _cast_to_json,
    "any": _strip,
    "null": _cast_to_null,
    "undefined": _strip,
    "segment": _cast_to_segment,
    "encoded": _cast_to_text,
}
