"""Numbers in the log of an account: every persisted change and every webhook batch has one.

A transaction that takes numbers holds the log's row to its end. So numbers are committed in their order, and a
reader that has come to a number will never find a smaller one later.
"""

from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Connection, text


def allocation(source: str) -> str:
    """Return SQL that takes numbers, as psycopg takes it: ``source`` selects an account's id and how many it needs."""
    return f"""
        insert into account_log (integrated_account_id, last_sequence) {source}
            on conflict (integrated_account_id) do update
           set last_sequence = account_log.last_sequence + excluded.last_sequence
     returning last_sequence
    """


_ALLOCATE = allocation("values (%(account_id)s, %(count)s)")
_ALLOCATE_TEXT = text(allocation("values (:account_id, :count)"))


def allocate(connection: Connection, account_id: str, count: int) -> int:
    """Take ``count`` numbers within the caller's transaction; return the first."""
    last = connection.execute(_ALLOCATE_TEXT, {"account_id": account_id, "count": count}).scalar_one()
    return int(last) - count + 1


def take_numbers(cursor: Cursor[Any], account_id: str, count: int) -> int:
    """Take ``count`` numbers within the caller's transaction; return the last. Taking 0 locks the log."""
    row = cursor.execute(_ALLOCATE, {"account_id": account_id, "count": count}).fetchone()
    assert row is not None
    return int(row[0])


TRIM: Final = """
    trimmed as (
        insert into account_log (integrated_account_id, trimmed_through)
        select integrated_account_id, max(sequence) from old where sequence is not null
         group by integrated_account_id order by integrated_account_id
            on conflict (integrated_account_id) do update
           set trimmed_through = greatest(account_log.trimmed_through, excluded.trimmed_through)
     returning integrated_account_id)
"""
"""Notes how far ``old (integrated_account_id, sequence)`` reaches, a row for each entry that is removed."""
AFTER_TRIM: Final = "(select count(*) from trimmed) >= 0"
"""Joined by what changes rows, so that an account's log is locked before them."""
