"""Write one page's records: COPY into a temporary table, then one upsert that tells what changed.

This is the hot path: psycopg directly, no ORM, a fixed number of statements per page.
"""

from collections.abc import Mapping, Sequence

from psycopg import Cursor
from sqlalchemy import Connection

from app.engine.books import Counters
from app.engine.errors import StoreUnavailableError
from app.engine.work import RecordRow
from app.store.database import PASSING_FAULTS

_STAGE = """
    create temporary table if not exists record_page
        (position serial, remote_id text, data jsonb, content_hash bytea) on commit delete rows
"""

_COPY = "copy record_page (remote_id, data, content_hash) from stdin"

# A page may name a record twice: the last one counts, since one statement can not touch a row twice. An unchanged
# record keeps its content and its updated_at.
_UPSERT = """
    with page as (
        select distinct on (remote_id) remote_id, data, content_hash
          from record_page order by remote_id, position desc),
    written as (
        insert into record as kept
               (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id)
        select %(account_id)s, %(resource)s, remote_id, data, content_hash, %(run_id)s from page
            on conflict (integrated_account_id, resource, remote_id) do update
           set data = case when kept.content_hash = excluded.content_hash then kept.data else excluded.data end,
               content_hash = excluded.content_hash,
               sync_job_run_id = excluded.sync_job_run_id,
               synced_at = excluded.synced_at,
               updated_at = case when kept.content_hash = excluded.content_hash
                                 then kept.updated_at else excluded.updated_at end
        returning xmax = 0 as is_new, updated_at = synced_at as is_changed)
    select count(*) filter (where is_new), count(*) filter (where is_changed and not is_new) from written
"""


def write_records(
    connection: Connection, rows: Sequence[RecordRow], *, account_id: str, resource: str, run_id: str
) -> Counters:
    """Persist the rows within the caller's transaction; count created, updated and unchanged ones.

    The three counts add up to ``len(rows)``: a repeat within the page counts as unchanged.
    """
    if not rows:
        return Counters()
    raw = connection.connection.driver_connection
    assert raw is not None
    try:
        with raw.cursor() as cursor:
            created, updated = _write(cursor, rows, {"account_id": account_id, "resource": resource, "run_id": run_id})
    except PASSING_FAULTS as error:
        # SQLAlchemy does not see what is done on the raw connection, so neither does its error handler.
        raise StoreUnavailableError from error
    return Counters(created=created, updated=updated, unchanged=len(rows) - created - updated)


def _write(cursor: Cursor[tuple[int, int]], rows: Sequence[RecordRow], values: Mapping[str, str]) -> tuple[int, int]:
    cursor.execute(_STAGE)
    with cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row((row.remote_id, row.data, row.content_hash))
    counts = cursor.execute(_UPSERT, values).fetchone()
    assert counts is not None
    return counts
