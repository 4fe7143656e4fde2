"""Records that have vanished upstream: marked as deleted, removed by retention alone, and restored on request."""

from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Connection, Engine, text

from app.engine.runs.work import PageWrite, Pass, Vanished
from app.services.runs.conflicts import retry_conflicts
from app.store.db.audit_notes import note_of_account
from app.store.records import account_log
from app.store.records.differences import text_array

_HELD: Final = """
    from record
   where integrated_account_id = %(account_id)s and resource = %(resource)s and remote_id = any(%(ids)s::text[])
         and deleted_at is null
"""
_COUNT_HELD: Final = f"select count(*) {_HELD}"
_DELETE_HELD: Final = f"""
    with held as (select remote_id, row_number() over (order by remote_id) as position {_HELD})
    update record
       set deleted_at = now(), updated_at = now(), synced_at = now(), sync_job_run_id = %(run_id)s,
           sequence = %(before)s + held.position
      from held
     where integrated_account_id = %(account_id)s and resource = %(resource)s and record.remote_id = held.remote_id
           and record.remote_id = any(%(ids)s::text[])
"""

_SEE: Final = """
    insert into record_seen (resource_id, remote_ids, is_former)
    values (%(resource_id)s, %(ids)s::text[], %(is_former)s)
"""

_SEEN = """
    with seen as (
        select unnest(remote_ids) as remote_id from record_seen where resource_id = any(:resource_ids)
               and not is_former),
    former as (
        select unnest(remote_ids) as remote_id from record_seen where resource_id = any(:resource_ids) and is_former),
    vanished as (
        select remote_id, row_number() over (order by remote_id) as position from record
         where integrated_account_id = :account_id and resource = :resource and deleted_at is null
               and not exists (select from seen where seen.remote_id = record.remote_id)
               and (not :replaced_only or exists (select from former where former.remote_id = record.remote_id)))
"""

_COUNT = text(
    _SEEN
    + """
    select (select count(*) from record
             where integrated_account_id = :account_id and resource = :resource and deleted_at is null),
           (select count(*) from vanished)
    """
)

_DELETE = text(
    _SEEN
    + """
    update record set deleted_at = now(), updated_at = now(), sync_job_run_id = :run_id,
           sequence = :first + position - 1
      from vanished
     where integrated_account_id = :account_id and resource = :resource and record.remote_id = vanished.remote_id
    """
)

_COUNT_IN_BOOKS = text("""
    update run_resource
       set deleted = deleted + :count,
           first_sequence = least(first_sequence, :first), last_sequence = :first + :count - 1
     where id = :resource_id
""")

_REMOVE_SEEN = text("""
    delete from record_seen using run_resource
     where run_resource.id = record_seen.resource_id and run_resource.run_id = :run_id
""")

_DELETED_BY = """
    from record where integrated_account_id = :account_id and sync_job_run_id = :run_id and deleted_at is not null
         and (cast(:resource as text) is null or resource = :resource)
"""

_COUNT_DELETED = text("select count(*) " + _DELETED_BY)

_RESTORE = text(f"""
    with deleted as (
        select resource, remote_id, row_number() over (order by resource, remote_id) as position {_DELETED_BY})
    update record set deleted_at = null, updated_at = now(), sequence = :first + position - 1
      from deleted
     where integrated_account_id = :account_id and record.resource = deleted.resource
           and record.remote_id = deleted.remote_id
""")


def record_seen(cursor: Cursor[Any], page: PageWrite) -> None:
    """Keep the ids of a page's records, and what they were known by before, with the page."""
    ids = page.changes.records.ids if page.changes else page.records.ids
    for seen, is_former in ((ids, False), (page.former_ids, True)):
        if seen:
            values = {"resource_id": page.claim.resource_id, "ids": text_array(seen), "is_former": is_former}
            cursor.execute(_SEE, values)


def delete_reported(cursor: Cursor[Any], page: PageWrite) -> range:
    """Make tombstones of what is held of a page's ``deleted``; return their numbers in the account's log."""
    place = {"account_id": page.account_id, "resource": page.resource, "run_id": page.claim.run_id}
    values = {**place, "ids": text_array(page.deleted)}
    if not _count_held(cursor, values):
        return range(0)
    # From here on nobody else writes records of the account.
    account_log.take_numbers(cursor, page.account_id, 0)
    count = _count_held(cursor, values)
    last = account_log.take_numbers(cursor, page.account_id, count)
    cursor.execute(_DELETE_HELD, {**values, "before": last - count})
    return range(last - count + 1, last + 1)


def _count_held(cursor: Cursor[Any], values: dict[str, Any]) -> int:
    row = cursor.execute(_COUNT_HELD, values).fetchone()
    assert row is not None
    return int(row[0])


def count_vanished(connection: Connection, ended: Pass) -> Vanished:
    """Count what a pass has not seen, within the caller's transaction."""
    # Nobody else may write records of the account until this is decided.
    account_log.allocate(connection, ended.account_id, 0)
    return Vanished(*connection.execute(_COUNT, _values(ended)).one())


def delete_vanished(connection: Connection, ended: Pass, *, count: int) -> None:
    """Make tombstones of what ``count_vanished`` has counted; each is a change in the account's log."""
    first = account_log.allocate(connection, ended.account_id, count)
    connection.execute(_DELETE, {**_values(ended), "run_id": ended.run_id, "first": first})
    connection.execute(_COUNT_IN_BOOKS, {"resource_id": ended.resource_ids[0], "count": count, "first": first})


def remove_seen(connection: Connection, run_id: str) -> None:
    """Remove what a run has seen, once it is over."""
    connection.execute(_REMOVE_SEEN, {"run_id": run_id})


def _values(ended: Pass) -> dict[str, object]:
    return {
        "account_id": ended.account_id,
        "resource": ended.resource,
        "resource_ids": list(ended.resource_ids),
        "replaced_only": ended.replaced_only,
    }


@retry_conflicts
class TombstoneStore:
    """The tombstones of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def restore(self, account_id: str, run_id: str, resource: str | None) -> int:
        """Restore the records that a run has deleted, as changes in the account's log; return how many."""
        values = {"account_id": account_id, "run_id": run_id, "resource": resource}
        with self._engine.begin() as connection:
            account_log.allocate(connection, account_id, 0)
            count = connection.execute(_COUNT_DELETED, values).scalar_one()
            if count == 0:
                return 0
            first = account_log.allocate(connection, account_id, count)
            note_of_account(
                connection, account_id, "records_restored", {"sync_job_run_id": run_id, "resource": resource}
            )
            return connection.execute(_RESTORE, {**values, "first": first}).rowcount
