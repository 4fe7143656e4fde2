"""Make tombstones of records that an upstream tells as deleted: with the page that tells it, each with its number."""

from typing import Any

from psycopg import Cursor

from app.engine.runs.books import Counters
from app.engine.runs.work import PageWrite
from app.store.records.account_log import ALLOCATE
from app.store.records.differences import text_array
from app.store.records.writer import WrittenRecords

_HELD = """
    from record
   where integrated_account_id = %(account_id)s and resource = %(resource)s and remote_id = any(%(ids)s::text[])
         and deleted_at is null
"""

_COUNT = f"select count(*) {_HELD}"

_DELETE = f"""
    with held as (select remote_id, row_number() over (order by remote_id) as position {_HELD})
    update record
       set deleted_at = now(), updated_at = now(), synced_at = now(), sync_job_run_id = %(run_id)s,
           sequence = %(before)s + held.position
      from held
     where integrated_account_id = %(account_id)s and resource = %(resource)s and record.remote_id = held.remote_id
           and record.remote_id = any(%(ids)s::text[])
"""

# Without statistics Postgres would rather read all that the account has than look for the ids.
_PLAN_BY_KEY = "select set_config('enable_seqscan', 'off', true)"


def write(cursor: Cursor[Any], page: PageWrite) -> WrittenRecords:
    """Delete what is held of a page's ``deleted``, behind the unit's fence; what is not held is unchanged."""
    values = {"account_id": page.account_id, "resource": page.resource, "run_id": page.claim.run_id}
    values["ids"] = text_array(page.deleted)
    cursor.execute(_PLAN_BY_KEY)
    if not _number(cursor, _COUNT, values):
        return WrittenRecords(counters=Counters(unchanged=len(page.deleted)))
    # From here on nobody else writes records of the account.
    _number(cursor, ALLOCATE, {**values, "count": 0})
    count = _number(cursor, _COUNT, values)
    last = _number(cursor, ALLOCATE, {**values, "count": count})
    cursor.execute(_DELETE, {**values, "before": last - count})
    counters = Counters(deleted=count, tombstones=count, unchanged=len(page.deleted) - count)
    return WrittenRecords(counters=counters, sequences=(last - count + 1, last) if count else None)


def _number(cursor: Cursor[Any], statement: str, values: dict[str, Any]) -> int:
    row = cursor.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])
