"""Read an account's log for a destination: changes of persisted records, in order, in one snapshot."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Engine, text

from app.engine.records.rows import decode
from app.services.destinations.ports import LoggedRecord
from app.services.destinations.work import LogPart
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import driver_cursor, reading

_LOG: Final = "select last_sequence, trimmed_through from account_log where integrated_account_id = %(account_id)s"
# Of what is filtered the content stays where it is.
_RECORDS: Final = """
    select resource, sequence, remote_id, synced_at, deleted_at, data::text
      from record
     where integrated_account_id = %(account_id)s and sequence >= 0
           and sequence > %(after)s and sequence <= %(through)s
     order by sequence limit %(limit)s
"""
_WANTED: Final = _RECORDS.replace("data::text", "case when resource = any(%(resources)s) then data::text end")
_PRESENT: Final = text("""
    select remote_id from record
     where integrated_account_id = :account_id and resource = :resource and remote_id = any(:ids)
""")
_MOST: Final = 2**63 - 1
_FIRST_ROWS: Final = 200
"""By which the size of the others is told."""
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one part, so that a daemon's memory is bounded however large records are."""


@retry_conflicts
class DestinationLog:
    """The logs of all accounts, as destinations read them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(
        self,
        account_id: str,
        *,
        after: int,
        limit: int,
        through: int | None = None,
        resources: Collection[str] | None = None,
    ) -> LogPart:
        """Read on after a number, ``limit`` entries at most, or all up to ``through``; None of resources is all.

        Whoever has read up to a number has missed nothing before it: numbers are committed in their order.
        """
        values: dict[str, Any] = {
            "account_id": account_id,
            "through": _MOST if through is None else through,
            "resources": list(resources or ()),
        }
        statement = _RECORDS if resources is None else _WANTED
        with (
            self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
            driver_cursor(connection) as cursor,
        ):
            log = cursor.execute(_LOG, values).fetchone()
            rows, is_cut = _read_rows(cursor, statement, values, after=after, limit=limit)
        last, trimmed = log or (0, 0)
        end = rows[-1][1] if is_cut else max(after, min(last, values["through"]))
        return _part(rows, end=end, is_last=end >= last, gap_until=trimmed if trimmed > after else 0)

    def find_absent(self, account_id: str, resource: str, ids: Sequence[str]) -> set[str]:
        """Return those of some ids of which there is no record, not even a tombstone."""
        values = {"account_id": account_id, "resource": resource, "ids": list(ids)}
        with reading(self._engine) as connection:
            return set(ids) - set(connection.execute(_PRESENT, values).scalars())

    def last_sequence(self, account_id: str) -> int:
        """Return the last number of an account's log."""
        with reading(self._engine) as connection:
            statement = text("select last_sequence from account_log where integrated_account_id = :account_id")
            return int(connection.execute(statement, {"account_id": account_id}).scalar_one_or_none() or 0)


def _read_rows(
    cursor: Cursor[Any], statement: str, values: dict[str, Any], *, after: int, limit: int
) -> tuple[list[tuple[Any, ...]], bool]:
    """Read rows until there are enough of them or of their bytes; return whether there may be more."""
    rows: list[tuple[Any, ...]] = []
    size, wanted = 0, min(limit, _FIRST_ROWS)
    while wanted > 0:
        found = cursor.execute(statement, {**values, "after": after, "limit": wanted}).fetchall()
        rows += found
        if len(found) < wanted:
            return rows, False
        size += sum(len(row[-1] or "") for row in found)
        after = found[-1][1]
        # As many as fit, if the next ones are as large as these were.
        wanted = min(limit - len(rows), (_MOST_BYTES - size) * len(rows) // max(1, size))
    return rows, True


def _part(rows: Sequence[tuple[Any, ...]], *, end: int, is_last: bool, gap_until: int) -> LogPart:
    records: defaultdict[str, list[LoggedRecord]] = defaultdict(list)
    filtered = 0
    for resource, sequence, remote_id, synced_at, deleted_at, data in rows:
        if data is None:
            filtered += 1
            continue
        record = LoggedRecord(remote_id, sequence, synced_at, deleted_at, decode(data))
        records[resource].append(record)
    return LogPart(
        through=end, is_last=is_last, gap_until=gap_until, read=len(rows), filtered=filtered, records=records
    )
