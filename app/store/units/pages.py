"""Write a page: its records, its counters and the cursor behind it, in ONE transaction under the unit's fence.

Locks are always taken in the order account log, unit, delivery unit, resources from parent to child, so that page
writes, deliveries and stops never wait for each other in a circle. The unit's row is locked behind all that may take
long: its lease is kept meanwhile, and a stop waits for no page. (A small page's statement locks it first, and is over
soon; it may only wait for the log.)
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import DictRow, tuple_row
from sqlalchemy import Connection, Engine, insert, select, text

from app import failpoints
from app.engine.errors import LeaseLostError
from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges
from app.engine.runs.work import ErrorDraft, EventDraft, PageWrite
from app.engine.webhooks import events
from app.failpoints import Failpoint
from app.services.runs.conflicts import repeats_conflicts
from app.store import tables
from app.store.db.autocommit import singles_of, transaction
from app.store.db.chunks import parts
from app.store.db.database import driver_cursor
from app.store.db.refusals import refusals_of
from app.store.records import account_log, differences, told_deletions, webhook_changes, writer
from app.store.records.differences import RecordPage
from app.store.units import list_warnings, plain_pages, spools
from app.store.units.units import UnitStore, insert_units

_INSERTED_AT_ONCE = 1000

# Takes the row's lock even where nothing changes, so that a delivery unit that is about to go idle sees the new events.
_WAKE_DELIVERY = text("""
    update unit
       set status = case when status = 'idle' then 'ready' else status end, updated_at = now()
     where run_id = :run_id and kind = 'delivery'
 returning id
""")

# Least and greatest ignore nulls.
_COUNT = f"""
    update run_resource
       set {plain_pages.COUNTED}, first_sequence = least(first_sequence, %(first)s::bigint),
           last_sequence = greatest(last_sequence, %(last)s::bigint)
     where id = %(resource_id)s
"""

# The log is locked by then, so no other batch can come in between.
_PREVIOUS_BATCH = text("""
    select log_sequence from delivery
     where integrated_account_id = :account_id and webhook_id = :webhook_id and log_sequence is not null
     order by log_sequence desc limit 1
""")

_HAS_PAGED = text("""
    select exists (
        select from run_resource own join sync_job_run run on run.id = own.run_id
               join sync_job_run past on past.integrated_account_id = run.integrated_account_id
               join run_resource other on other.run_id = past.id
         where own.id = :resource_id and other.resource = own.resource and other.method = own.method
               and other.has_paged) as has_paged
""")

_COUNT_CHILD = text(
    "update run_resource set skipped = skipped + :skipped, errors = errors + :errors where id = :resource_id"
)


_NOTE_GAPS = text("update run_resource set has_gaps = true where id = :resource_id")


@repeats_conflicts
class PageStore:
    """The page writes of all units."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._singles = singles_of(engine)
        self._units = UnitStore(engine)

    def write(self, page: PageWrite) -> str | None:
        """Write all of it or nothing; raise LeaseLostError when the unit belongs to somebody else by now.

        Gives the id of the run's delivery unit when there are events for it to send. Raise UnwritablePageError for a
        page that Postgres will never take.
        """
        with refusals_of(page):
            delivery_unit_id = self._write(page)
        failpoints.hit(Failpoint.BEFORE_ACK)
        return delivery_unit_id

    def _write(self, page: PageWrite) -> str | None:
        delivery_unit_id = None
        if not plain_pages.is_plain(page):
            delivery_unit_id = self._write_any(page)
        elif plain_pages.is_small(page):
            failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
            self._write_small(page)
        else:
            self._singles.lend(lambda connection: _write_large(connection, page))
        return delivery_unit_id

    def has_paged(self, resource_id: str) -> bool:
        """Whether a list of the resource has ever led to a second page, in any run for the same account."""
        row = self._singles.one(_HAS_PAGED, {"resource_id": resource_id})
        return row is not None and bool(row["has_paged"])

    def _write_small(self, page: PageWrite) -> None:
        began = time.monotonic()
        try:
            plain_pages.write(self._singles, page)
        except plain_pages.OvertakenError:
            self._singles.lend(lambda connection: _write_large(connection, page))
        if page.end is None and time.monotonic() > began + page.lease_seconds / 2:
            # It has waited for the account's log, with its unit's row locked: nobody could keep its lease meanwhile.
            self._units.keep(page.claim, lease_seconds=page.lease_seconds)

    def _write_any(self, page: PageWrite) -> str | None:
        records = _record_page(page)
        found = differences.find(self._singles, records)
        with self._engine.begin() as connection:
            with driver_cursor(connection) as cursor:
                written = writer.write_records(cursor, records, found, claim=page.claim)
                if page.deleted:
                    written += told_deletions.write(cursor, page)
            failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
            insert_units(connection, page.claim.run_id, page.children)
            if page.gathered or page.given_on:
                spools.write(connection, page)
            insert_errors(connection, page.claim.run_id, page.errors)
            told = webhook_changes.compare(connection, page) if page.changes else None
            drafts = numbered(connection, page.account_id, [*told.events, *page.events] if told else page.events)
            with driver_cursor(connection) as cursor:
                _advance(cursor, page)
            delivery_unit_id = insert_events(connection, page.claim.run_id, drafts)
            counters = written.counters + told.counters if told else written.counters
            replaced = written.replaced + (told.collisions if told else 0)
            _count(connection, page, counters, written.sequences, replaced)
        return delivery_unit_id


def _write_large(connection: psycopg.Connection[DictRow], page: PageWrite) -> None:
    """Write a page of records alone, past SQLAlchemy: a trip to compare, and one or four to write.

    Once there is something to write the account's log is locked before what is held is compared for certain.
    """
    records = _record_page(page)
    found = differences.find_over(connection, records)
    if not found:
        failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
        plain_pages.move_on(connection, page, writer.counted(records, found))
        return
    with transaction(connection), connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        written = writer.write_records(cursor, records, found, claim=page.claim)
        failpoints.hit(Failpoint.BEFORE_CHECKPOINT)
        _advance(cursor, page)
        with connection.pipeline():
            _add(cursor, page, written.counters, written.sequences, written.replaced)
            connection.commit()


def insert_errors(connection: Connection, run_id: str, errors: Sequence[ErrorDraft]) -> None:
    """Record errors within the caller's transaction."""
    if not errors:
        return
    rows = [
        {
            "id": error.id,
            "run_id": run_id,
            "resource": error.resource,
            "method": error.method,
            "code": error.code,
            "message": error.message,
            "details": error.details,
            "created_at": error.at,
        }
        for error in errors
    ]
    run = tables.sync_job_run.c
    environment_id = select(run.environment_id).where(run.id == run_id).scalar_subquery()
    connection.execute(insert(tables.run_error).values(environment_id=environment_id), rows)


def insert_events(connection: Connection, run_id: str, drafts: Sequence[EventDraft]) -> str | None:
    """Queue events for delivery within the caller's transaction and wake the run's delivery unit; give its id."""
    if not drafts:
        return None
    for part in parts(drafts, lambda event: len(event.body), most=_INSERTED_AT_ONCE):
        connection.execute(insert(tables.delivery), [_event_row(run_id, event) for event in part])
    unit_id = connection.execute(_WAKE_DELIVERY, {"run_id": run_id}).scalar_one_or_none()
    return str(unit_id) if unit_id else None


def _event_row(run_id: str, event: EventDraft) -> dict[str, object]:
    return {
        "id": event.id,
        "run_id": run_id,
        "resource_id": event.resource_id,
        "webhook_id": event.webhook_id,
        "event": event.event,
        "body": event.body,
        "records": event.records,
        "remote_ids": list(event.remote_ids) if event.remote_ids is not None else None,
        "integrated_account_id": event.integrated_account_id,
        "log_sequence": event.log_sequence,
        "previous_log_sequence": event.previous_log_sequence,
    }


def count(connection: Connection, resource_id: str, counters: Counters) -> None:
    """Add to a resource's counters within the caller's transaction."""
    nothing = {"first": None, "last": None, "expected": None, "has_paged": False, **asdict(Exchanges())}
    with driver_cursor(connection) as cursor:
        _execute_count(cursor, resource_id, counters, nothing)


def _add(
    cursor: Cursor[Any], page: PageWrite, counters: Counters, sequences: tuple[int, int] | None, replaced: int
) -> None:
    """Add a page to its resource's books: what it counts, what is known of its list, its part of the account's log."""
    assert page.claim.resource_id is not None
    first, last = sequences or (None, None)
    values = {**plain_pages.list_values(page), "first": first, "last": last}
    _execute_count(cursor, page.claim.resource_id, page.counters + counters, values)
    list_warnings.add(cursor, page.claim.resource_id, page.warnings)
    if replaced and page.collision is not None:
        list_warnings.add(cursor, page.claim.resource_id, [replace(page.collision, count=replaced)])


def _execute_count(cursor: Cursor[Any], resource_id: str, counters: Counters, values: dict[str, object]) -> None:
    counted = {name: getattr(counters, name) for name in tables.COUNTERS}
    cursor.execute(_COUNT, {**counted, **values, "resource_id": resource_id})


def _advance(cursor: Cursor[Any], page: PageWrite) -> None:
    """Move the unit on: only who holds its lease can."""
    if cursor.execute(plain_pages.ADVANCE, plain_pages.fence_values(page)).rowcount != 1:
        raise LeaseLostError


def _record_page(page: PageWrite) -> RecordPage:
    return RecordPage(
        account_id=page.account_id,
        resource=page.resource,
        run_id=page.claim.run_id,
        batch=page.records,
        seen_by=page.claim.resource_id if page.tracks_deletes else None,
        former_ids=() if page.changes else page.former_ids,
        counts_repeats=page.counts_repeats,
    )


def numbered(connection: Connection, account_id: str, drafts: Sequence[EventDraft]) -> Sequence[EventDraft]:
    """Return each batch of records its number in the account's log; other events have none."""
    batches = [event for event in drafts if event.records]
    if not batches:
        return drafts
    sequence = account_log.allocate(connection, account_id, len(batches))
    parameters = {"account_id": account_id, "webhook_id": batches[0].webhook_id}
    previous = connection.execute(_PREVIOUS_BATCH, parameters).scalar_one_or_none()
    changed: dict[str, EventDraft] = {}
    for batch in batches:
        changed[batch.id] = events.number_batch(batch, account_id, sequence, previous)
        sequence, previous = sequence + 1, sequence
    return [changed.get(event.id, event) for event in drafts]


def _count(
    connection: Connection, page: PageWrite, counters: Counters, sequences: tuple[int, int] | None, replaced: int
) -> None:
    with driver_cursor(connection) as cursor:
        _add(cursor, page, counters, sequences, replaced)
    if page.has_gaps:
        connection.execute(_NOTE_GAPS, {"resource_id": page.claim.resource_id})
    for resource_id, skipped in page.skipped.items():
        errors = page.child_errors.get(resource_id, 0)
        connection.execute(_COUNT_CHILD, {"resource_id": resource_id, "skipped": skipped, "errors": errors})
