"""Read JSON in UTF-8 leniently: one text, or one per line.

Kept exact: integers of any size. Made storable: NaN, Infinity and numbers beyond a double become null; U+0000 and lone
surrogates, which Postgres refuses, become U+FFFD. Raw control characters within strings are let through.
"""

import json
import math
import re
from typing import Final

import orjson

from app import interpreter
from app.engine.json_types import JSON

# orjson reads an integer beyond 64 bits as a float, in silence. To find 19 digits in a row by counting zeros in a
# translated copy costs 1 ms per MB, where orjson takes 7 ms and a regular expression 13 ms; the expression then
# distinguishes numbers from long ids in quotes.
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_NINETEEN_DIGITS: Final = b"0" * 19
_LONG_INTEGER: Final = re.compile(rb"(?:^|[\s:,\[])(?:-\d{19}|\d{20})")

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT: Final = "\ufffd".encode()

_SEPARATOR: Final = b"\x1e"
"""Begins each text of a JSON text sequence (RFC 7464)."""


class NotStrictError(ValueError):
    """A text is not strict JSON, or holds what the strict reader gets wrong; the lenient one may read it."""


class LineError(ValueError):
    """A line is no JSON."""

    def __init__(self, number: int, of: int) -> None:
        self.number = number
        """From 1, empty lines left out."""
        self.is_last = number == of
        super().__init__(f"line {number} of {of} is no JSON")


def parse(body: bytes) -> JSON:
    """Read one text; raise UnicodeDecodeError, RecursionError when it is nested too deeply, or ValueError."""
    try:
        return parse_strictly(body)
    except NotStrictError:
        return _parse_leniently(body)


def parse_strictly(body: bytes) -> JSON:
    """Read one text that is strict JSON; raise NotStrictError."""
    # Searching one byte first is twenty times as fast.
    if (b"\\" in body and rb"\u0000" in body) or _may_hold_long_integer(body):
        raise NotStrictError
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotStrictError from error


def count_lines(body: bytes) -> int:
    """Count the texts of a body at most, empty ones among them."""
    return body.count(b"\n") + body.count(_SEPARATOR) + 1


def parse_strict_lines(body: bytes) -> list[JSON]:
    """Read one strict text per line, or per record separator; raise NotStrictError."""
    return [parse_strictly(line) for line in _split_lines(body)]


def parse_lines(body: bytes) -> list[JSON]:
    """Read one text per line, or per record separator; raise LineError, or as ``parse`` does."""
    lines = _split_lines(body)
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(parse(line))
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            raise LineError(number, len(lines)) from error
    return values


def _split_lines(body: bytes) -> list[bytes]:
    parts = body.split(_SEPARATOR if body.lstrip().startswith(_SEPARATOR) else b"\n")
    return [line for part in parts if (line := part.strip())]


def _may_hold_long_integer(body: bytes) -> bool:
    return _NINETEEN_DIGITS in body.translate(_DIGITS_AS_ZEROS) and _LONG_INTEGER.search(body) is not None


def _parse_leniently(body: bytes) -> JSON:
    storable = _ESCAPE.sub(_storable_escape, body).replace(b"\0", _REPLACEMENT)
    found = json.loads(storable.decode(), parse_constant=_no_number, parse_float=_finite, strict=False)
    if interpreter.is_deeper(found, interpreter.MOST_LEVELS):
        raise RecursionError
    return found


def _storable_escape(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape[1] else escape[0]


def _no_number(_name: str) -> None:
    """Stand in for NaN and Infinity."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
