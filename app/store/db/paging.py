"""Keyset paging over (what a list is sorted by, id): the same cost at any depth, no row twice, none left out."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, DateTime, Select, Table, Text, func, tuple_
from sqlalchemy.dialects.postgresql import UUID

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import parse_id
from app.engine.objects.lists import ListFilters, Page
from app.store.db import shown_times
from app.store.db.database import Row

T = TypeVar("T")

TimeFilters = Mapping[tuple[str, str], Any]
"""``(column, operator)`` to a time, or a list of times for ``in``."""

Columns = Mapping[str, ColumnElement[Any]]
"""Columns of other tables that a statement has joined, by the names that a list has for them."""

_NO_OTHERS: Final[Columns] = {}


def read_page(
    connection: Connection,
    statement: Select[Any],
    table: Table,
    make: Callable[[Row], T],
    *,
    limit: int,
    cursor: str | None,
    sort: str = "-created_at",
    columns: Columns = _NO_OTHERS,
) -> Page[T]:
    """Read one page of a statement over a table, sorted by a column, downwards where its name begins with a dash.

    ``columns`` are those that the table does not have itself; a row has each by its name.
    """
    name, descends = sort.removeprefix("-"), sort.startswith("-")
    key = (_sorted_by(columns[name] if name in columns else table.c[name]), table.c.id)
    if cursor:
        after = _decode(cursor, sort, key)
        statement = statement.where(tuple_(*key) < after if descends else tuple_(*key) > after)
    order = [column.desc() if descends else column.asc() for column in key]
    # One row more than requested shows whether there is a next page.
    rows = connection.execute(statement.order_by(*order).limit(limit + 1)).mappings().all()
    shown = rows[:limit]
    next_cursor = encode_place(sort, shown[-1][name], shown[-1]["id"]) if len(rows) > limit else None
    return Page(result=[make(row) for row in shown], next_cursor=next_cursor, limit=limit)


def narrow(statement: Select[Any], table: Table, filters: ListFilters, columns: Columns = _NO_OTHERS) -> Select[Any]:
    """Narrow a statement by a list's filters; ``columns`` are those that the table does not have itself."""

    def named(name: str) -> ColumnElement[Any]:
        return columns[name] if name in columns else table.c[name]

    for column, value in filters.equal.items():
        statement = statement.where(named(column) == value)
    for column, values in filters.among:
        statement = statement.where(named(column).in_(values))
    for column, value in filters.unlike:
        statement = statement.where(named(column) != value)
    return with_times(statement, table, filters.times)


def with_times(statement: Select[Any], table: Table, times: TimeFilters) -> Select[Any]:
    """Narrow a statement by times, compared as they are shown."""
    for (column, operator), value in times.items():
        statement = statement.where(shown_times.is_within(table.c[column], operator, value))
    return statement


def encode_cursor(*values: str) -> str:
    """Return an opaque cursor."""
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
    """Return the error of a cursor that ``encode_cursor`` did not write."""
    return InvalidInputError([Failure("next_cursor", "is not a cursor that this list gave")])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _sorted_by(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column to sort by, with null as the empty text: nothing compares with null."""
    is_text = isinstance(column.type, Text)
    return func.coalesce(column, "") if is_text and getattr(column, "nullable", False) else column


def encode_place(sort: str, value: datetime | str | None, id: str) -> str:
    """Return the cursor of what follows a row in a list with this order."""
    text = value.isoformat() if isinstance(value, datetime) else value or ""
    return encode_cursor(sort, text, str(id))


def _decode(cursor: str, sort: str, key: tuple[ColumnElement[Any], ColumnElement[Any]]) -> tuple[Any, str]:
    """Read where the next page of a list with this order begins; raise InvalidInputError."""
    order, value, id = decode_cursor(cursor, 3)
    if order != sort:
        message = "belongs to a list in another order: send the sort that it came with, or begin anew without it"
        raise InvalidInputError([Failure("next_cursor", message)])
    if isinstance(key[1].type, UUID) and parse_id(id) is None:
        raise bad_cursor()
    return _moment(value) if isinstance(key[0].type, DateTime) else value, id


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_cursor() from None
    if moment.tzinfo is None:
        raise bad_cursor()
    return moment
