"""Keyset paging over (created_at, id): the same cost at any depth, and no row twice or left out while others come."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Select, Table, tuple_

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import canonical_id
from app.engine.objects import ListFilters, Page
from app.store import shown_times
from app.store.database import Row

T = TypeVar("T")

TimeFilters = Mapping[tuple[str, str], Any]
"""``(column, operator)`` to a time, or a list of times for ``in``."""


def read_page(
    connection: Connection,
    statement: Select[Any],
    table: Table,
    make: Callable[[Row], T],
    *,
    limit: int,
    cursor: str | None,
    sort: str = "-created_at",
) -> Page[T]:
    """Read one page of a statement over a table, newest first unless ``sort`` is ``created_at``."""
    key = tuple_(table.c.created_at, table.c.id)
    descends = sort.startswith("-")
    if cursor:
        after = _decode(cursor)
        statement = statement.where(key < after if descends else key > after)
    order = [column.desc() if descends else column.asc() for column in (table.c.created_at, table.c.id)]
    # One row more than asked for tells whether there is a next page: a cursor never leads to an empty one.
    rows = connection.execute(statement.order_by(*order).limit(limit + 1)).mappings().all()
    shown = rows[:limit]
    next_cursor = _encode(shown[-1]["created_at"], str(shown[-1]["id"])) if len(rows) > limit else None
    return Page(result=[make(row) for row in shown], next_cursor=next_cursor, limit=limit)


def narrowed(
    statement: Select[Any], table: Table, filters: ListFilters, columns: Mapping[str, ColumnElement[Any]] | None = None
) -> Select[Any]:
    """Narrow a statement by a list's filters; ``columns`` are those that the table does not have itself."""

    def named(name: str) -> ColumnElement[Any]:
        return (columns or {})[name] if name in (columns or {}) else table.c[name]

    for column, value in filters.equal.items():
        statement = statement.where(named(column) == value)
    for column, values in filters.among:
        statement = statement.where(named(column).in_(values))
    return with_times(statement, table, filters.times)


def with_times(statement: Select[Any], table: Table, times: TimeFilters) -> Select[Any]:
    """Narrow a statement by times, compared as they are shown."""
    for (column, operator), value in times.items():
        statement = statement.where(shown_times.is_within(table.c[column], operator, value))
    return statement


def encode_cursor(*values: str) -> str:
    """Write an opaque cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[str]:
    """Read what ``encode_cursor`` wrote; raise InvalidInputError for anything else."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, list) or len(values) != length or not all(_is_text(value) for value in values):
        raise bad_cursor()
    return values


def bad_cursor() -> InvalidInputError:
    """Tell that a cursor is none of ours."""
    return InvalidInputError([Failure("next_cursor", "is not a cursor that this list gave")])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _encode(created_at: datetime, id: str) -> str:
    return encode_cursor(created_at.isoformat(), id)


def _decode(cursor: str) -> tuple[datetime, str]:
    created_at, id = decode_cursor(cursor, 2)
    try:
        moment = datetime.fromisoformat(created_at)
    except ValueError:
        raise bad_cursor() from None
    if canonical_id(id) is None or moment.tzinfo is None:
        raise bad_cursor()
    return moment, id
