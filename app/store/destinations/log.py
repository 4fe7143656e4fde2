"""Accounts' logs as destinations read them, in order and in one snapshot, and the records that targets should hold."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Engine, text

from app.engine.records.rows import decode
from app.services.destinations.ports import LoggedRecord, Quarantined
from app.services.destinations.stores import ExpectedRecords, Settled, WrittenAccount
from app.services.destinations.work import LogPart
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import driver_cursor, reading

_LOG: Final = "select last_sequence, trimmed_through from account_log where integrated_account_id = %(account_id)s"
# Of what is filtered the content stays where it is.
_RECORDS: Final = """
    select resource, sequence, remote_id, synced_at, deleted_at,
           case when sync_job_run_id = any(%(runs)s::uuid[]) then sync_job_run_id::text end, data::text
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
_ACCOUNTS: Final = text("""
    select c.destination_id, c.integrated_account_id, a.tenant_id, c.cursor
      from destination_cursor c join integrated_account a on a.id = c.integrated_account_id
     where c.destination_id = :id order by c.integrated_account_id
""")
_CURSOR: Final = text("""
    select cursor from destination_cursor where destination_id = :id and integrated_account_id = :account_id
""")
# The primary key begins with account and resource: its few values are stepped through.
_RESOURCES: Final = text("""
    with recursive known as (
        (select resource from record where integrated_account_id = :account_id order by resource limit 1)
        union all
        select (select r.resource from record r
                 where r.integrated_account_id = :account_id and r.resource > known.resource
                 order by r.resource limit 1)
          from known where known.resource is not null)
    select resource from known where resource is not null
""")
_QUARANTINED: Final = """
    exists (select from destination_quarantine q
             where q.destination_id = :destination_id and q.integrated_account_id = r.integrated_account_id
                   and q.resource = r.resource and q.remote_id = r.remote_id and q.sequence = r.sequence)
"""
_COUNT: Final = text(f"""
    select count(*) filter (where not is_quarantined) as records, count(*) filter (where is_quarantined) as quarantined
      from (select {_QUARANTINED} as is_quarantined from record r
             where r.integrated_account_id = :account_id and r.resource = :resource and r.sequence <= :cursor
                   and (:with_deleted or r.deleted_at is null)) found
""")
_LOOK_UP: Final = text(f"""
    select r.remote_id, r.sequence, r.deleted_at is not null as is_deleted, r.sequence > :cursor as is_behind,
           {_QUARANTINED} as is_quarantined
      from record r
     where r.integrated_account_id = :account_id and r.resource = :resource and r.remote_id = any(:ids)
""")
_UNREADABLE: Final = "it is nested deeper than 1,024 levels, or has a number of more than 4,300 digits"
_MOST: Final = 2**63 - 1
_FIRST_ROWS: Final = 200
"""By which the size of the others is estimated."""
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one part, so that a daemon's memory is bounded however large records are."""


@retry_conflicts
class DestinationLog:
    """The records of all accounts and their logs, as destinations read and compare them."""

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
        runs: Collection[str] = (),
    ) -> LogPart:
        """Read on after a number, ``limit`` entries at most, or all up to ``through``; None of resources is all.

        Which entries are of ``runs`` is shown. Whoever has read up to a number has missed nothing before it: numbers
        are committed in their order.
        """
        values: dict[str, Any] = {
            "account_id": account_id,
            "through": _MOST if through is None else through,
            "resources": list(resources or ()),
            "runs": list(runs),
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

    def list_accounts(self, destination_id: str) -> Sequence[WrittenAccount]:
        """List the accounts that have a cursor, and are not deleted."""
        with reading(self._engine) as connection:
            rows = connection.execute(_ACCOUNTS, {"id": destination_id}).all()
        return [
            WrittenAccount(destination_id=str(row[0]), account_id=str(row[1]), tenant_id=row[2], cursor=row[3])
            for row in rows
        ]

    def read_again(self, account: WrittenAccount) -> WrittenAccount:
        """Return an account with its cursor as it is now."""
        values = {"id": account.destination_id, "account_id": account.account_id}
        with reading(self._engine) as connection:
            cursor = connection.execute(_CURSOR, values).scalar_one_or_none()
        return replace(account, cursor=account.cursor if cursor is None else cursor)

    def list_resources(self, account: WrittenAccount) -> Sequence[str]:
        """List the resources of which there are records."""
        with reading(self._engine) as connection:
            return list(connection.execute(_RESOURCES, {"account_id": account.account_id}).scalars())

    def count(self, account: WrittenAccount, resource: str, *, with_deleted: bool) -> ExpectedRecords:
        """Count the records up to the cursor."""
        values = {**_place(account, resource), "with_deleted": with_deleted}
        with reading(self._engine) as connection:
            row = connection.execute(_COUNT, values).one()
        return ExpectedRecords(records=row.records, quarantined=row.quarantined)

    def look_up(self, account: WrittenAccount, resource: str, ids: Sequence[str]) -> Mapping[str, Settled]:
        """Return those of some records that there are."""
        with reading(self._engine) as connection:
            rows = connection.execute(_LOOK_UP, {**_place(account, resource), "ids": list(ids)}).all()
        return {
            row.remote_id: Settled(
                sequence=row.sequence,
                is_deleted=row.is_deleted,
                is_behind=row.is_behind,
                is_quarantined=row.is_quarantined,
            )
            for row in rows
        }


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
    unreadable: list[Quarantined] = []
    runs: dict[int, str] = {}
    filtered = 0
    for resource, sequence, remote_id, synced_at, deleted_at, run_id, data in rows:
        if run_id is not None:
            runs[sequence] = run_id
        if data is None:
            filtered += 1
            continue
        try:
            value = decode(data)
        except (ValueError, RecursionError):
            lost = Quarantined(resource=resource, remote_id=remote_id, sequence=sequence, reason=_UNREADABLE)
            unreadable.append(lost)
            continue
        records[resource].append(LoggedRecord(remote_id, sequence, synced_at, deleted_at, value))
    return LogPart(
        through=end,
        is_last=is_last,
        gap_until=gap_until,
        read=len(rows),
        filtered=filtered,
        records=records,
        runs=runs,
        unreadable=unreadable,
    )


def _place(account: WrittenAccount, resource: str) -> dict[str, object]:
    return {
        "destination_id": account.destination_id,
        "account_id": account.account_id,
        "resource": resource,
        "cursor": account.cursor,
    }
