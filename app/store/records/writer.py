"""Write what differs of one page's records: COPY what is new and update what has changed.

This is the hot path: psycopg directly, no ORM, and only rows that differ are sent. Rows are made while Postgres takes
in those before them.

Whatever is written gets a number in its account's log. The log's row is locked from there to the commit, so that
numbers become visible in their order, and so that nobody else writes records of the account meanwhile: a row that was
found missing can be copied straight into the table.

A very large page takes a minute, and nothing bounds it but the lease of its unit, which another session keeps. So the
unit's row is not locked here, only looked at: whoever may not write learns it before the work, and for certain by the
statement that moves the unit on, behind the records (pages.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor

from app.engine.errors import LeaseLostError
from app.engine.runs.books import Counters
from app.engine.runs.work import Claim
from app.store.db import writing_sessions
from app.store.db.chunks import parts
from app.store.records import differences
from app.store.records.account_log import ALLOCATE
from app.store.records.differences import Difference, RecordPage, text_array

_COPY = """
    copy record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence) from stdin
"""

_UPDATE = """
    update record
       set data = page.data, content_hash = page.content_hash, sync_job_run_id = %(run_id)s,
           sequence = %(sequence)s + page.position, updated_at = now(), synced_at = now(), deleted_at = null
      from unnest(%(ids)s::text[], %(data)s::jsonb[], %(hashes)s::bytea[])
           with ordinality page (remote_id, data, content_hash, position)
     where record.integrated_account_id = %(account_id)s and record.resource = %(resource)s
           and record.remote_id = page.remote_id and record.remote_id = any(%(ids)s::text[])
"""

_SEE = """
    insert into record_seen (resource_id, remote_ids, is_former)
    values (%(resource_id)s, %(ids)s::text[], %(is_former)s)
"""

# One plan for any page, by the table's key: to plan for each page takes Postgres a look at all of its ids, and while it
# knows little of the table, or knew it empty, it would rather read all of that.
_PLAN_BY_KEY = "set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"

_COPIED_AT_ONCE = 100
_UPDATED_AT_ONCE = 5_000

# What text COPY takes for itself: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecords:
    """What a write of records has come to."""

    counters: Counters
    """Created, updated, unchanged and repeated, which add up to the records given."""
    sequences: tuple[int, int] | None = None
    """The first and the last number in the account's log; None when nothing differed."""
    replaced: int = 0
    """Records that have taken the place of one that the run itself had written; they are among the repeated."""

    def __add__(self, other: "WrittenRecords") -> "WrittenRecords":
        """Join with what was written behind it."""
        numbers = [*(self.sequences or ()), *(other.sequences or ())]
        sequences = (numbers[0], numbers[-1]) if numbers else None
        return WrittenRecords(
            counters=self.counters + other.counters,
            sequences=sequences,
            replaced=self.replaced + other.replaced,
        )


def write_records(
    cursor: Cursor[Any], page: RecordPage, found: Difference, *, claim: Claim | None = None
) -> WrittenRecords:
    """Persist what was found to differ within the caller's transaction; raise LeaseLostError when the claim is gone.

    Of several records with one id the last is kept; the others count as repeated.
    """
    sequences = None
    last = _begin(cursor, page, len(found), claim)
    if found:
        if last - len(found) != found.last_sequence:
            # Somebody wrote to the account in between. Nobody can any more; a number too many is only a gap.
            again = differences.find_again(cursor, page, last)
            last = _allocate(cursor, page, len(again)) if len(again) > len(found) else last
            found = again
        first = last - len(found) + 1
        sequences = (first, last)
        _copy(cursor, page, found.new, first)
        _update(cursor, page, found.changed, first + len(found.new))
    if page.seen_by:
        _see(cursor, page.seen_by, page.batch.ids, is_former=False)
        if page.former_ids:
            _see(cursor, page.seen_by, page.former_ids, is_former=True)
    return WrittenRecords(counters=counted(page, found), sequences=sequences, replaced=found.replaced)


def counted(page: RecordPage, found: Difference) -> Counters:
    """Count what becomes of a page's records once what differs of them is written."""
    return Counters(
        created=len(found.new),
        updated=len(found.changed) - found.replaced,
        unchanged=len(page.batch) - len(found) - found.own,
        repeated=page.batch.given - len(page.batch) + found.own + found.replaced,
    )


def _begin(cursor: Cursor[Any], page: RecordPage, count: int, claim: Claim | None) -> int:
    """Look at the lease and take numbers, in one trip; give the last of the numbers, or 0 where none is needed."""
    connection, last = cursor.connection, 0
    with connection.cursor() as guard:
        with connection.pipeline():
            if claim is not None:
                writing_sessions.begin(guard, claim, settings=_PLAN_BY_KEY if count else "")
            elif count:
                connection.execute(f"select {_PLAN_BY_KEY}")
            if count:
                last = _allocate(cursor, page, count)
        if claim is not None and guard.rowcount != 1:
            raise LeaseLostError
    return last


def _allocate(cursor: Cursor[Any], page: RecordPage, count: int) -> int:
    row = cursor.execute(ALLOCATE, {"account_id": page.account_id, "count": count}).fetchone()
    assert row is not None
    return int(row[0])


def _copy(cursor: Cursor[Any], page: RecordPage, ids: Sequence[str], first: int) -> None:
    """Copy records that the table does not hold, in parts: Postgres takes one in while the next is made.

    The lines are made by hand, which takes half the driver's time.
    """
    if not ids:
        return
    head = f"{page.account_id}\t{page.resource.translate(_ESCAPES)}\t".encode()
    run_id = page.run_id.encode()
    with cursor.copy(_COPY) as copy:
        for start in range(0, len(ids), _COPIED_AT_ONCE):
            lines = [
                b"%b%b\t%b\t\\\\x%b\t%b\t%d\n"
                % (
                    head,
                    row.remote_id.translate(_ESCAPES).encode(),
                    row.data.replace(b"\\", b"\\\\"),
                    row.content_hash.hex().encode(),
                    run_id,
                    sequence,
                )
                for sequence, row in enumerate(page.batch.rows(ids[start : start + _COPIED_AT_ONCE]), first + start)
            ]
            copy.write(b"".join(lines))


def _see(cursor: Cursor[Any], resource_id: str, ids: Sequence[str], *, is_former: bool) -> None:
    cursor.execute(_SEE, {"resource_id": resource_id, "ids": text_array(ids), "is_former": is_former})


def _update(cursor: Cursor[Any], page: RecordPage, ids: Sequence[str], first: int) -> None:
    for rows in parts(page.batch.rows(ids), lambda row: len(row.data), most=_UPDATED_AT_ONCE):
        values = {
            "account_id": page.account_id,
            "resource": page.resource,
            "run_id": page.run_id,
            "sequence": first - 1,
            "ids": text_array([row.remote_id for row in rows]),
            "data": [row.data.decode() for row in rows],
            "hashes": [row.content_hash for row in rows],
        }
        cursor.execute(_UPDATE, values)
        first += len(rows)
