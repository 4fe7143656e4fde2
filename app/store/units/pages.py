"""Write a page: its records, its counters and the frontier behind it, in ONE transaction under the unit's fence.

A page is compared with the table, then ``_STEPS`` carry it top to bottom as one ``_Write``, which each step returns
with what it has come to. The connection is psycopg's own, and only rows that differ are sent. A small page of records
alone is one statement instead (small_pages.py).

Locks are always taken in the order account log, unit, delivery unit, resources from parent to child, so that page
writes, deliveries and stops never wait for each other in a circle. A very large page takes a minute, and another
session keeps its lease meanwhile. So the unit's row is only looked at first, and locked behind the records, children
and errors: a stop waits for no page. (A small page's statement locks it first, and is over soon; it may only wait for
the log.)
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from psycopg import Cursor
from psycopg.rows import DictRow, tuple_row
from sqlalchemy import Engine

from app import failpoints
from app.engine.errors import LeaseLostError
from app.engine.runs.books import Counters
from app.engine.runs.work import EventDraft, PageWrite
from app.failpoints import Failpoint
from app.services.runs.conflicts import retry_conflicts
from app.store.db import writing_sessions
from app.store.db.autocommit import autocommit_of, transaction
from app.store.db.sqlstates import translate_refusals
from app.store.records import account_log, differences, tombstones, webhook_changes
from app.store.records.differences import Difference, cut_into_parts, text_array
from app.store.units import checkpoint, small_pages, spools
from app.store.units.units import UnitStore

_COPY: Final = """
    copy record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence) from stdin
"""

_UPDATE: Final = """
    update record
       set data = page.data, content_hash = page.content_hash, sync_job_run_id = %(run_id)s,
           sequence = %(before)s + page.position, updated_at = now(), synced_at = now(), deleted_at = null
      from unnest(%(ids)s::text[], %(data)s::jsonb[], %(hashes)s::bytea[])
           with ordinality page (remote_id, data, content_hash, position)
     where record.integrated_account_id = %(account_id)s and record.resource = %(resource)s
           and record.remote_id = page.remote_id and record.remote_id = any(%(ids)s::text[])
"""

# One plan for any page, by the table's key: to plan for each page takes Postgres a look at all of its ids, and while it
# knows little of the table, or knew it empty, it would rather read all of that.
_PLAN_BY_KEY: Final = (
    "set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"
)

_COPIED_AT_ONCE = 100
_UPDATED_AT_ONCE = 5_000

# What text COPY takes for itself: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """A page on its way into the database."""

    page: PageWrite
    cursor: Cursor[Any]
    found: Difference
    """The records that differ from the table."""
    first: int = 0
    """The number of the first of them in the account's log."""
    numbers: tuple[int, ...] = ()
    """The numbers of the page's records so far, in their order; those between are the page's too."""
    counters: Counters = field(default_factory=Counters)
    replaced: int = 0
    """Records that have taken the place of one that the run itself had written; they are among the repeated."""
    events: Sequence[EventDraft] = ()
    delivery_unit_id: str | None = None


@retry_conflicts
class PageStore:
    """The page writes of all units."""

    def __init__(self, engine: Engine) -> None:
        self._autocommit = autocommit_of(engine)
        self._units = UnitStore(engine)

    def write(self, page: PageWrite) -> str | None:
        """Write all of it or nothing; raise LeaseLostError when another worker has the unit by now.

        Return the id of the run's delivery unit when there are events for it to send. Raise UnwritablePageError for a
        page that Postgres will never take.
        """
        with translate_refusals(page):
            if small_pages.is_small(page) and self._write_small(page):
                delivery_unit_id = None
            else:
                delivery_unit_id = self._autocommit.lend(lambda connection: _write_in_steps(connection, page))
        failpoints.hit(Failpoint.BEFORE_ACK)
        return delivery_unit_id

    def has_paged(self, resource_id: str) -> bool:
        """Whether a list of the resource has ever led to a second page, in any run for the same account."""
        row = self._autocommit.one(checkpoint.HAS_PAGED, {"resource_id": resource_id})
        return row is not None and bool(row["has_paged"])

    def _write_small(self, page: PageWrite) -> bool:
        """Write a small page by one statement; False when another transaction writes the same records."""
        failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
        began = time.monotonic()
        is_written = small_pages.write(self._autocommit, page)
        if is_written and page.end is None and time.monotonic() > began + page.lease_seconds / 2:
            # It has waited for the account's log, with its unit's row locked: nobody could keep its lease meanwhile.
            self._units.keep(page.claim, lease_seconds=page.lease_seconds)
        return is_written


def _write_in_steps(connection: psycopg.Connection[DictRow], page: PageWrite) -> str | None:
    found = differences.find(connection, page)
    with transaction(connection), connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        write = _Write(page=page, cursor=cursor, found=found)
        for step in _STEPS:
            write = step(write)
    return write.delivery_unit_id


def _take_numbers(write: _Write) -> _Write:
    """Name the session for its claim, look at the lease and take numbers in the account's log, in one trip."""
    page, count, last, connection = write.page, len(write.found), 0, write.cursor.connection
    with connection.cursor() as guard:
        with connection.pipeline():
            writing_sessions.begin(guard, page.claim, settings=_PLAN_BY_KEY if count or page.deleted else "")
            if count:
                last = account_log.take_numbers(write.cursor, page.account_id, count)
        if guard.rowcount != 1:
            raise LeaseLostError
    return replace(write, first=last - count + 1)


def _compare_again(write: _Write) -> _Write:
    """Compare once more where another transaction has written to the account in between; none can any more."""
    page, found, first = write.page, write.found, write.first
    if not found or first == found.last_sequence + 1:
        return write
    again = differences.find_again(write.cursor, page)
    # A number too many is only a gap.
    if len(again) > len(found):
        first = account_log.take_numbers(write.cursor, page.account_id, len(again)) - len(again) + 1
    return replace(write, found=again, first=first)


def _copy_new(write: _Write) -> _Write:
    """Copy the records that the table does not hold, in parts: Postgres takes one in while the next is made.

    The lines are made by hand, which takes half the driver's time.
    """
    page, ids = write.page, write.found.new
    if not ids:
        return write
    head = f"{page.account_id}\t{page.resource.translate(_ESCAPES)}\t".encode()
    run_id = page.claim.run_id.encode()
    with write.cursor.copy(_COPY) as copy:
        for start in range(0, len(ids), _COPIED_AT_ONCE):
            lines = [
                b"%b%b\t%b\t\\\\x%b\t%b\t%d\n"
                % (
                    head,
                    row.remote_id.translate(_ESCAPES).encode(),
                    row.data.replace(b"\\", b"\\\\"),
                    row.content_hash.hex().encode(),
                    run_id,
                    number,
                )
                for number, row in enumerate(
                    page.records.rows(ids[start : start + _COPIED_AT_ONCE]), write.first + start
                )
            ]
            copy.write(b"".join(lines))
    return write


def _update_changed(write: _Write) -> _Write:
    """Update the records that the table holds otherwise."""
    if not write.found.changed:
        return write
    page, before = write.page, write.first + len(write.found.new) - 1
    for rows in cut_into_parts(page.records.rows(write.found.changed), most=_UPDATED_AT_ONCE):
        values = {
            "account_id": page.account_id,
            "resource": page.resource,
            "run_id": page.claim.run_id,
            "before": before,
            "ids": text_array([row.remote_id for row in rows]),
            "data": [row.data.decode() for row in rows],
            "hashes": [row.content_hash for row in rows],
        }
        write.cursor.execute(_UPDATE, values)
        before += len(rows)
    return write


def _count_records(write: _Write) -> _Write:
    """Count what has become of the page's records: each is created, updated, unchanged or repeated."""
    records, found = write.page.records, write.found
    counters = Counters(
        created=len(found.new),
        updated=len(found.changed) - found.replaced,
        unchanged=len(records) - len(found) - found.own,
        repeated=records.given - len(records) + found.own + found.replaced,
    )
    numbers = (write.first, write.first + len(found) - 1) if found else ()
    return replace(write, counters=write.page.counters + counters, numbers=numbers, replaced=found.replaced)


def _delete_records(write: _Write) -> _Write:
    """Make tombstones of what the upstream reports as deleted, and keep what it has brought, to know what vanished."""
    page = write.page
    if page.tracks_deletes:
        tombstones.record_seen(write.cursor, page)
    if not page.deleted:
        return write
    numbers = tombstones.delete_reported(write.cursor, page)
    counters = Counters(deleted=len(numbers), tombstones=len(numbers), unchanged=len(page.deleted) - len(numbers))
    ends = (numbers[0], numbers[-1]) if numbers else ()
    return replace(write, counters=write.counters + counters, numbers=(*write.numbers, *ends))


def _insert_work(write: _Write) -> _Write:
    """Write the units of children, what spools keep, and errors."""
    page, run_id = write.page, write.page.claim.run_id
    if page.children:
        checkpoint.insert_units(write.cursor, run_id, page.children)
    if page.gathered or page.given_on:
        spools.write(write.cursor, page)
    if page.errors:
        checkpoint.insert_errors(write.cursor, run_id, page.errors)
    return write


def _make_events(write: _Write) -> _Write:
    """Make events of what a webhook does not know yet, and give each batch its number in the account's log."""
    page = write.page
    if page.changes:
        compared = webhook_changes.compare(write.cursor, page)
        write = replace(
            write,
            counters=write.counters + compared.counters,
            replaced=write.replaced + compared.collisions,
            events=compared.events,
        )
    if not (write.events or page.events):
        return write
    batches = checkpoint.number_batches(write.cursor, page.account_id, [*write.events, *page.events])
    return replace(write, events=batches)


def _move_frontier(write: _Write) -> _Write:
    """Move the unit on: only who holds its lease can."""
    failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
    checkpoint.move_frontier(write.cursor, write.page)
    return write


def _queue_events(write: _Write) -> _Write:
    if not write.events:
        return write
    return replace(
        write, delivery_unit_id=checkpoint.insert_events(write.cursor, write.page.claim.run_id, write.events)
    )


def _count_and_commit(write: _Write) -> _Write:
    """Add the page to its resource's counters, then to its children's, and commit, in one trip."""
    with write.cursor.connection.pipeline():
        checkpoint.count_page(write.cursor, write.page, write.counters, numbers=write.numbers, replaced=write.replaced)
        write.cursor.connection.commit()
    return write


_STEPS: Final[tuple[Callable[[_Write], _Write], ...]] = (
    _take_numbers,
    _compare_again,
    _copy_new,
    _update_changed,
    _count_records,
    _delete_records,
    _insert_work,
    _make_events,
    _move_frontier,
    _queue_events,
    _count_and_commit,
)
