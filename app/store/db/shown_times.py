"""Compare times as they are shown, to the millisecond: what is shown as t is neither before nor after t.

A column stands alone on its side of every comparison, so that an index on it serves.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

_MILLISECOND = timedelta(milliseconds=1)


def is_within(column: Any, operator: str, value: Any) -> ColumnElement[bool]:
    """Return the condition that ``column[operator]=value`` asks for; ``in`` takes a list of times."""
    match operator:
        case "eq":
            return and_(column >= _shown_from(value), column < _next_shown(value))
        case "gt":
            return column >= _next_shown(value)  # type: ignore[no-any-return]
        case "gte":
            return column >= _shown_from(value)  # type: ignore[no-any-return]
        case "lt":
            return column < _shown_from(value)  # type: ignore[no-any-return]
        case "lte":
            return column < _next_shown(value)  # type: ignore[no-any-return]
        case "in":
            return or_(*(is_within(column, "eq", one) for one in value))
        case _:
            raise ValueError(f"unknown operator '{operator}'")


def _shown_from(value: datetime) -> datetime:
    """Return the first whole millisecond that is not before a time."""
    whole = _whole(value)
    return whole if whole == value else _after(whole)


def _next_shown(value: datetime) -> datetime:
    return _after(_whole(value))


def _whole(value: datetime) -> datetime:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _after(whole: datetime) -> datetime:
    try:
        return whole + _MILLISECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
