"""Write a page that holds nothing but records by one statement, which is a transaction of its own.

It does what ``PageStore.write`` does in five trips for pages of any kind: move the unit on under its fence, number and
write what differs, count. A run of many small pages waits for Postgres most of its time beside the upstream's, and so
does one that finds nothing new.

All of the statement sees the table as it was when it began. What somebody else has persisted of the page's records
since then it does not overwrite, which it could not count rightly: then nothing of it counts (OvertakenError).
"""

from dataclasses import asdict
from typing import Final

from psycopg import Connection
from psycopg.errors import DivisionByZero
from psycopg.rows import DictRow

from app.engine.errors import FerrymanError, LeaseLostError
from app.engine.records.rows import encode
from app.engine.runs.books import Counters
from app.engine.runs.work import PageWrite
from app.store import tables
from app.store.db.autocommit import Autocommit
from app.store.db.database import Row
from app.store.records.account_log import allocation
from app.store.units import list_warnings

# From here on Postgres takes more time to look each record up than the daemon saves.
_MOST_RECORDS: Final = 200
# A statement that takes long would keep its unit's row locked for as long.
_MOST_BYTES: Final = 4 * 1024 * 1024

ADVANCE: Final = """
    update unit
       set frontier = %(frontier)s::jsonb, pages = pages + %(pages)s, attempts = 0, updated_at = now(),
           idle_slices = case when %(has_progress)s then 0 else idle_slices end,
           status = coalesce(%(end)s::text, status),
           lease_expires_at = case when %(end)s::text is null
                                   then clock_timestamp() + make_interval(secs => %(lease_seconds)s) end
     where id = %(unit_id)s and fencing_token = %(fencing_token)s and status = 'leased'
"""
"""Move a unit on past a page, which may have taken a minute: it changes one row, or none when its lease is gone."""

_OWN_COUNTERS: Final = {
    "created": "totals.new",
    "updated": "totals.written - totals.new - totals.replaced",
    "unchanged": "%(distinct)s - totals.written - totals.own",
    "repeated": "%(given)s - %(distinct)s + totals.own + totals.replaced",
}
_BEGUN: Final = """
    status = case when status = 'waiting' then 'running' else status end, started_at = coalesce(started_at, now())
"""
_LISTED: Final = """
    expected = case when %(expected)s::bigint is null then expected else coalesce(expected, 0) + %(expected)s end,
    has_paged = has_paged or %(has_paged)s, requests = requests + %(requests)s, answered = answered + %(answered)s,
    answer_ms = answer_ms + %(answer_ms)s, heard_at = now()
"""
_COUNTED: Final = ", ".join(f"{name} = {name} + {_OWN_COUNTERS.get(name, f'%({name})s')}" for name in tables.COUNTERS)
COUNTED: Final = ", ".join(f"{name} = {name} + %({name})s" for name in tables.COUNTERS) + f", {_BEGUN}, {_LISTED}"
"""Add to a resource's counters, which has begun by then."""


# The limit has each record found by its key: without statistics Postgres would rather read all that the account has.
# A number above the last that was seen is that of a row which somebody has written since.
def _writing(*, also: str = "") -> bytes:
    return f"""
    with fenced as ({ADVANCE} returning id),
         page as (
        select remote_id, data, content_hash, position
          from unnest(%(ids)b::text[], %(data)b::text[], %(hashes)b::bytea[])
               with ordinality page (remote_id, data, content_hash, position), fenced),
         compared as (
        select page.*, held.content_hash is distinct from page.content_hash as differs,
               coalesce(held.is_own, false) as is_own
          from page left join lateral (
               select case when deleted_at is null then content_hash else '' end as content_hash,
                      %(counts_repeats)s and deleted_at is null and sync_job_run_id = %(run_id)s as is_own from record
                where integrated_account_id = %(account_id)s and resource = %(resource)s
                      and remote_id = page.remote_id
                limit 1) held on true),
         difference as (select *, row_number() over (order by position) as number from compared where differs),
         needed as (select count(*) as numbers from difference),
         log as ({allocation("select %(account_id)s::uuid, numbers from needed where numbers > 0")}),
         taken as (select last_sequence - numbers as before, last_sequence as last from log, needed),
         written as (
        insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
        select %(account_id)s::uuid, %(resource)s, remote_id, data::jsonb, content_hash, %(run_id)s::uuid,
               before + number
          from difference, taken order by number
            on conflict (integrated_account_id, resource, remote_id) do update
           set data = excluded.data, content_hash = excluded.content_hash, sync_job_run_id = excluded.sync_job_run_id,
               sequence = excluded.sequence, updated_at = now(), synced_at = now(), deleted_at = null
         where record.sequence is null or record.sequence <= (select last_sequence from account_log
                                                               where integrated_account_id = %(account_id)s)
        returning xmax = 0 as is_new),
         totals as (
        select (select count(*) from written) as written, (select count(*) from written where is_new) as new,
               count(*) filter (where is_own and not differs) as own,
               count(*) filter (where is_own and differs) as replaced, count(*) filter (where differs) as differing
          from compared),
         counted as (
        update run_resource
           set {_COUNTED}, {_BEGUN}, {_LISTED}, first_sequence = least(first_sequence, before + 1),
               last_sequence = greatest(last_sequence, last){also}
          from fenced, totals left join taken on true
         where run_resource.id = %(resource_id)s)
    select (select count(*) from fenced) as fenced, 1 / (written = differing)::int as is_whole from totals
""".encode()


_WRITE: Final = _writing()

# A record that takes the place of one of its own run with another content: they may be two that have one id.
_WRITE_COUNTING_COLLISIONS: Final = _writing(
    also=", warnings = " + list_warnings.counted("%(code)s::text", "totals.replaced", "%(message)s::text"),
)


class OvertakenError(FerrymanError):
    """Somebody else has persisted records of the page since the statement began; nothing of it is written."""


_MOVE_ON: Final = f"""
    with fenced as ({ADVANCE} returning id),
         counted as (
        update run_resource set {COUNTED}
         where id = %(resource_id)s and exists (select from fenced))
    select count(*) as fenced from fenced
""".encode()


def is_plain(page: PageWrite) -> bool:
    """Whether a page is nothing but records."""
    return not (
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


def is_small(page: PageWrite) -> bool:
    """Whether a plain page is best written without a look at it beforehand."""
    return len(page.records) <= _MOST_RECORDS and (
        sum(len(row.data) for row in page.records.rows(page.records.ids)) <= _MOST_BYTES
    )


def write(singles: Autocommit, page: PageWrite) -> None:
    """Write a small page; raise LeaseLostError, with nothing written, when the unit belongs to somebody else by now.

    Raise OvertakenError, with nothing written either, when somebody else writes the same records.
    """
    statement = _WRITE if page.collision is None else _WRITE_COUNTING_COLLISIONS
    try:
        _check(singles.one(statement, written_values(page)))
    except DivisionByZero as error:
        raise OvertakenError from error


def move_on(connection: Connection[DictRow], page: PageWrite, found: Counters) -> None:
    """Count a page of which the table holds all as it is; raise LeaseLostError as ``write`` does."""
    counters = page.counters + found
    values = {name: getattr(counters, name) for name in tables.COUNTERS}
    values = {**fence_values(page), **values, **list_values(page), "resource_id": page.claim.resource_id}
    _check(connection.execute(_MOVE_ON, values).fetchone())


def _check(row: Row | None) -> None:
    if row is None or row["fenced"] != 1:
        raise LeaseLostError


def fence_values(page: PageWrite) -> dict[str, object]:
    """Return what ``ADVANCE`` takes."""
    return {
        "frontier": encode(page.frontier).decode(),
        "pages": page.counters.pages,
        "end": page.end,
        "has_progress": page.has_progress,
        "lease_seconds": page.lease_seconds,
        "unit_id": page.claim.unit_id,
        "fencing_token": page.claim.fencing_token,
    }


def list_values(page: PageWrite) -> dict[str, object]:
    """Return what ``COUNTED`` takes of the page's list and of its requests."""
    return {"expected": page.expected, "has_paged": page.has_paged, **asdict(page.exchanges)}


def written_values(page: PageWrite) -> dict[str, object]:
    """Return what the statement takes that writes a page."""
    rows = list(page.records.rows(page.records.ids))
    warning = {"code": page.collision.code, "message": page.collision.message} if page.collision is not None else {}
    return {
        **fence_values(page),
        **warning,
        **{name: getattr(page.counters, name) for name in tables.COUNTERS if name not in _OWN_COUNTERS},
        **list_values(page),
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
