"""Write a small page of records alone by one statement, which is a transaction of its own.

It does what the steps of pages.py do in five trips for pages of any kind: move the frontier under the fence, number and
write what differs, count. A run of many small pages waits for Postgres most of its time beside the upstream's.

All of the statement sees the table as it was when it began. What somebody else has persisted of the page's records
since then it does not overwrite, which it could not count rightly: then it fails as a whole (DivisionByZero).
"""

from typing import Final

from psycopg.errors import DivisionByZero

from app.engine.errors import LeaseLostError
from app.engine.runs.work import PageWrite
from app.store import tables
from app.store.db.autocommit import Autocommit
from app.store.records.account_log import allocation
from app.store.units import checkpoint

# From here on Postgres takes more time to look each record up than the daemon saves.
# Without this statement (-1 here) thousand-runs makes 94 runs/s instead of 115, short-pages loses nothing.
_MOST_RECORDS: Final = 200
# A statement that takes long would keep its unit's row locked for as long.
_MOST_BYTES: Final = 4 * 1024 * 1024

_OWN_COUNTERS: Final = {
    "created": "totals.new",
    "updated": "totals.written - totals.new - totals.replaced",
    "unchanged": "%(distinct)s - totals.written - totals.own",
    "repeated": "%(given)s - %(distinct)s + totals.own + totals.replaced",
}


# The limit has each record found by its key: without statistics Postgres would rather read all that the account has.
_COMPARE: Final = """
        select page.*, held.content_hash is distinct from page.content_hash as differs,
               coalesce(held.is_own, false) as is_own
          from page left join lateral (
               select case when deleted_at is null then content_hash else '' end as content_hash,
                      %(counts_repeats)s and deleted_at is null and sync_job_run_id = %(run_id)s as is_own from record
                where integrated_account_id = %(account_id)s and resource = %(resource)s
                      and remote_id = page.remote_id
                limit 1) held on true"""

# A number above the last that was seen is that of a row which somebody has written since.
_UPSERT: Final = """
        insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
        select %(account_id)s::uuid, %(resource)s, remote_id, data::jsonb, content_hash, %(run_id)s::uuid,
               before + number
          from difference, taken order by number
            on conflict (integrated_account_id, resource, remote_id) do update
           set data = excluded.data, content_hash = excluded.content_hash, sync_job_run_id = excluded.sync_job_run_id,
               sequence = excluded.sequence, updated_at = now(), synced_at = now(), deleted_at = null
         where record.sequence is null or record.sequence <= (select last_sequence from account_log
                                                               where integrated_account_id = %(account_id)s)
        returning xmax = 0 as is_new"""


def _writing(*, also: str = "") -> bytes:
    return f"""
    with fenced as ({checkpoint.MOVE_FRONTIER} returning id),
         page as (
        select remote_id, data, content_hash, position
          from unnest(%(ids)b::text[], %(data)b::text[], %(hashes)b::bytea[])
               with ordinality page (remote_id, data, content_hash, position), fenced),
         compared as ({_COMPARE}),
         difference as (select *, row_number() over (order by position) as number from compared where differs),
         needed as (select count(*) as numbers from difference),
         log as ({allocation("select %(account_id)s::uuid, numbers from needed where numbers > 0")}),
         taken as (select last_sequence - numbers as before, last_sequence as last from log, needed),
         written as ({_UPSERT}),
         totals as (
        select (select count(*) from written) as written, (select count(*) from written where is_new) as new,
               count(*) filter (where is_own and not differs) as own,
               count(*) filter (where is_own and differs) as replaced, count(*) filter (where differs) as differing
          from compared),
         counted as (
        update run_resource
           set {checkpoint.adding(_OWN_COUNTERS)}, first_sequence = least(first_sequence, before + 1),
               last_sequence = greatest(last_sequence, last){also}
          from fenced, totals left join taken on true
         where run_resource.id = %(resource_id)s)
    select (select count(*) from fenced) as fenced, 1 / (written = differing)::int as is_whole from totals
""".encode()


_WRITE: Final = _writing()

# A record that takes the place of one of its own run with another content: they may be two that have one id.
_WRITE_COUNTING_COLLISIONS: Final = _writing(
    also=", warnings = " + checkpoint.adding_warning("%(code)s::text", "totals.replaced", "%(message)s::text"),
)


def is_small(page: PageWrite) -> bool:
    """Whether a page is nothing but a few records, best written without a look at the table beforehand."""
    is_more = (
        page.children
        or page.events
        or page.errors
        or page.changes
        or page.deleted
        or page.tracks_deletes
        or page.gathered
        or page.given_on
        or page.skipped
        or page.warnings
    )
    return (
        not is_more
        and len(page.records) <= _MOST_RECORDS
        and (sum(len(row.data) for row in page.records.rows(page.records.ids)) <= _MOST_BYTES)
    )


def write(autocommit: Autocommit, page: PageWrite) -> bool:
    """Write a small page; False, with nothing written, when somebody else writes the same records.

    Raise LeaseLostError, with nothing written either, when the unit belongs to somebody else by now.
    """
    statement = _WRITE if page.collision is None else _WRITE_COUNTING_COLLISIONS
    try:
        row = autocommit.one(statement, written_values(page))
    except DivisionByZero:
        return False
    if row is None or row["fenced"] != 1:
        raise LeaseLostError
    return True


def written_values(page: PageWrite) -> dict[str, object]:
    """Return what the statement takes that writes a page."""
    rows = list(page.records.rows(page.records.ids))
    warning = {"code": page.collision.code, "message": page.collision.message} if page.collision is not None else {}
    return {
        **checkpoint.fence_values(page),
        **warning,
        **{name: getattr(page.counters, name) for name in tables.COUNTERS if name not in _OWN_COUNTERS},
        **checkpoint.list_values(page),
        "account_id": page.account_id,
        "resource": page.resource,
        "resource_id": page.claim.resource_id,
        "run_id": page.claim.run_id,
        "counts_repeats": page.counts_repeats,
        "given": page.records.given + page.counters.repeated,
        "distinct": len(page.records),
        "ids": [row.remote_id for row in rows],
        "data": [row.data.decode() for row in rows],
        "hashes": [row.content_hash for row in rows],
    }
