"""Looks into the destination: every record is there, once, with the upstream's content. Never in a measured time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads

from app.engine.json_types import JsonObject
from bench.customer import COMMENTS, MARKS, TICKETS
from bench.measurement import BenchError
from bench.worlds import comment, comment_ids, mark, ticket

_ROWS_AT_ONCE = 5000

_DERIVED: dict[str, Callable[[int], JsonObject]] = {TICKETS: ticket, COMMENTS: comment, MARKS: mark}


def check_tickets(database_url: str, account_ids: Sequence[str], records: int) -> None:
    """Raise BenchError unless each account holds exactly the tickets of a world."""
    rows = _kept(database_url, account_ids, TICKETS)
    _check(rows, TICKETS, records * len(account_ids), largest=records)


def check_comments(database_url: str, account_id: str, tickets: int) -> None:
    """Raise BenchError unless an account holds exactly the comments of a world."""
    expected = tickets * len(comment_ids(1))
    _check(_kept(database_url, [account_id], COMMENTS), COMMENTS, expected, largest=comment_ids(tickets)[-1])


def check_marks(database_url: str, account_id: str, records: int) -> None:
    """Raise BenchError unless an account holds exactly the marks of a world."""
    _check(_kept(database_url, [account_id], MARKS), MARKS, records, largest=records)


def check_derived(
    database_url: str, account_id: str, resource: str, derive: Callable[[int], JsonObject], *, expected: int
) -> None:
    """Raise BenchError unless an account holds exactly what is derived from the ids of a world."""
    _check_by(derive, _kept(database_url, [account_id], resource), resource, expected, largest=expected)


def check_floor(database_url: str, table: str, records: int, resource: str = TICKETS) -> None:
    """Raise BenchError unless the floor's table holds exactly the records of a world."""
    query = sql.SQL("select remote_id, data from {}").format(sql.Identifier(table))
    _check(_rows(database_url, query, []), resource, records, largest=records)


def _kept(database_url: str, account_ids: Sequence[str], resource: str) -> Iterator[tuple[str, JsonObject]]:
    query = sql.SQL(
        "select remote_id, data from record"
        " where integrated_account_id = any(%s::uuid[]) and resource = %s and deleted_at is null"
    )
    return _rows(database_url, query, [list(account_ids), resource])


def _rows(database_url: str, query: sql.SQL | sql.Composed, values: list[Any]) -> Iterator[tuple[str, JsonObject]]:
    with psycopg.connect(database_url) as connection:
        set_json_loads(orjson.loads, connection)
        with connection.cursor("bench_check") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            yield from cursor.execute(query, values)


def _check(rows: Iterator[tuple[str, JsonObject]], resource: str, expected: int, *, largest: int) -> None:
    _check_by(_DERIVED[resource], rows, resource, expected, largest=largest)


def _check_by(
    derive: Callable[[int], JsonObject],
    rows: Iterator[tuple[str, JsonObject]],
    resource: str,
    expected: int,
    *,
    largest: int,
) -> None:
    """Compare every row; ids are the primary key, so that as many right rows as expected are all of them."""
    count, wrong = 0, 0
    for remote_id, data in rows:
        count += 1
        id = int(remote_id)
        wrong += id > largest or data != derive(id)
    if wrong or count != expected:
        raise BenchError(f"{resource}: {count} of {expected} rows, {wrong} of them wrong")
