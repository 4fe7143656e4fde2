"""A JSON value in a column: which type it asks for, whether it fits one, and as what Python value."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from app.engine.json_types import JSON
from app.engine.schemas.columns import Column, ColumnType

_BIGINT_RANGE: Final = range(-(2**63), 2**63)
# JSON's own grammar of numbers: neither blanks, nor a plus, nor "NaN".
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER: Final = 1000
"""Characters of a text that is read as a number: Postgres takes no number of any size."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET: Final = "[Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9]"
_TIME: Final = re.compile(rf"{_DATE.pattern}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?({_OFFSET})?")
_TEXTS: Final = MappingProxyType({"true": True, "false": False})

_LEARNED: Final[Mapping[type, ColumnType | None]] = MappingProxyType(
    {
        type(None): None,
        bool: ColumnType.BOOLEAN,
        float: ColumnType.DOUBLE,
        Decimal: ColumnType.DOUBLE,
        str: ColumnType.TEXT,
    }
)
# The narrowest first; each holds what the ones before it hold, but for those that stand for themselves.
_WIDER: Final[Mapping[ColumnType, frozenset[ColumnType]]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: frozenset(),
        ColumnType.BIGINT: frozenset(),
        ColumnType.DATE: frozenset(),
        ColumnType.TIMESTAMPTZ: frozenset({ColumnType.DATE}),
        ColumnType.DOUBLE: frozenset({ColumnType.BIGINT}),
        ColumnType.NUMERIC: frozenset({ColumnType.BIGINT, ColumnType.DOUBLE}),
        ColumnType.TEXT: frozenset(ColumnType) - {ColumnType.TEXT, ColumnType.JSONB},
        ColumnType.JSONB: frozenset(ColumnType) - {ColumnType.JSONB},
    }
)


def type_of(value: JSON) -> ColumnType | None:
    """Return the narrowest type that a value is learned as; None for null, which says nothing."""
    # A dict, not a match: it is asked of every value that is written.
    kind = type(value)
    if kind is int:
        return ColumnType.BIGINT if value in _BIGINT_RANGE else ColumnType.NUMERIC
    return _LEARNED.get(kind, ColumnType.JSONB)


def join_types(first: ColumnType, second: ColumnType) -> ColumnType:
    """Return the narrowest type that holds the values of both."""
    if holds(first, second):
        return first
    return next(kind for kind in (second, *_WIDER) if {first, second} <= _WIDER[kind] | {kind})


def holds(column: ColumnType, value: ColumnType) -> bool:
    """Whether a column of a type holds all values that are learned as another."""
    return column is value or value in _WIDER[column]


def fit(value: JSON, column: Column) -> object | None:
    """Return a value as its column holds it, as Python's own type of it; None where it does not fit, and for null."""
    if value is None:
        return None
    return _FIT[column.type](value, column.is_declared)


def _fit_bool(value: JSON, reads_text: bool) -> bool | None:
    if isinstance(value, bool):
        return value
    return _TEXTS.get(value) if reads_text and isinstance(value, str) else None


def _fit_bigint(value: JSON, reads_text: bool) -> int | None:
    number = _fit_numeric(value, reads_text)
    if number is None or number != number.to_integral_value() or abs(number) > 2**63:
        return None
    whole = int(number)
    return whole if whole in _BIGINT_RANGE else None


def _fit_numeric(value: JSON, reads_text: bool) -> Decimal | None:
    match value:
        case bool():
            return None
        case Decimal():
            return value
        case int():
            return Decimal(value)
        case float():
            return Decimal(str(value)) if math.isfinite(value) else None
        case str() if reads_text and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
            return Decimal(value)
        case _:
            return None


def _fit_double(value: JSON, reads_text: bool) -> float | None:
    number = _fit_numeric(value, reads_text)
    double = math.nan if number is None else float(number)  # A number beyond a double's range becomes infinite.
    return double if math.isfinite(double) else None


def _fit_date(value: JSON, _: bool) -> date | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _fit_timestamptz(value: JSON, _: bool) -> datetime | None:
    """Read RFC 3339, also without an offset, which then is UTC; a date is its first moment in UTC."""
    if not isinstance(value, str) or not (_TIME.fullmatch(value) or _DATE.fullmatch(value)):
        return None
    try:
        time = datetime.fromisoformat(value.upper())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fit_text(value: JSON, _: bool) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float() | Decimal():
            return _write_number(_fit_numeric(value, False))
        case _:
            return None


def _write_number(number: Decimal | None) -> str | None:
    """Write a number as Postgres does, which knows neither exponents nor a negative zero."""
    if number is None:
        return None
    return format(abs(number) if number.is_zero() else number, "f")


def _fit_jsonb(value: JSON, _: bool) -> JSON:
    return value


_FIT: Final[Mapping[ColumnType, Callable[[JSON, bool], object | None]]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: _fit_bool,
        ColumnType.BIGINT: _fit_bigint,
        ColumnType.NUMERIC: _fit_numeric,
        ColumnType.DOUBLE: _fit_double,
        ColumnType.DATE: _fit_date,
        ColumnType.TIMESTAMPTZ: _fit_timestamptz,
        ColumnType.TEXT: _fit_text,
        ColumnType.JSONB: _fit_jsonb,
    }
)
