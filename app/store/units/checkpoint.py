"""What each page's write inserts, and its end: the unit's frontier moves on under the fence, the counters grow.

Units, events and errors are inserted within the transaction of what makes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import text

from app.engine.errors import LeaseLostError
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import encode
from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges
from app.engine.runs.work import ErrorDraft, EventDraft, PageWrite, UnitDraft, UnitKind
from app.engine.status import ResourceStatus, UnitStatus
from app.engine.webhooks import events
from app.store import tables
from app.store.records import account_log
from app.store.units.spells import AWAITS_RECEIVER

_INSERT_UNIT: Final = f"""
    insert into unit (id, run_id, resource_id, kind, status, elements, worked)
    values (%(id)s, %(run_id)s, %(resource_id)s, %(kind)s, %(status)s, %(elements)s::jsonb,
            case when %(status)s = '{UnitStatus.BLOCKED}' then {AWAITS_RECEIVER} else '[]'::jsonb end)
"""

_INSERT_ERROR: Final = """
    insert into run_error (id, run_id, environment_id, resource, method, code, message, details, created_at)
    values (%(id)s, %(run_id)s, (select environment_id from sync_job_run where id = %(run_id)s), %(resource)s,
            %(method)s, %(code)s, %(message)s, %(details)s::jsonb, %(at)s)
"""

_INSERT_EVENT: Final = """
    insert into delivery (id, run_id, resource_id, webhook_id, event, body, records, remote_ids,
                          integrated_account_id, log_sequence, previous_log_sequence)
    values (%(id)s, %(run_id)s, %(resource_id)s, %(webhook_id)s, %(event)s, %(body)s, %(records)s, %(remote_ids)s,
            %(integrated_account_id)s, %(log_sequence)s, %(previous_log_sequence)s)
"""

# Takes the row's lock even where nothing changes, so that a delivery unit that is about to go idle sees the new events.
_WAKE_DELIVERY_UNIT: Final = f"""
    update unit
       set status = case when status = '{UnitStatus.IDLE}' then '{UnitStatus.READY}' else status end, updated_at = now()
     where run_id = %(run_id)s and kind = '{UnitKind.DELIVERY}'
 returning id
"""

# The log is locked by then, so no other batch can come in between.
_PREVIOUS_BATCH: Final = """
    select log_sequence from delivery
     where integrated_account_id = %(account_id)s and webhook_id = %(webhook_id)s and log_sequence is not null
     order by log_sequence desc limit 1
"""


def insert_units(cursor: Cursor[Any], run_id: str, units: Sequence[UnitDraft]) -> None:
    """Write new units within the caller's transaction."""
    if not units:
        return
    rows = (
        {
            "id": unit.id,
            "run_id": run_id,
            "resource_id": unit.resource_id,
            "kind": unit.kind,
            "status": unit.status,
            "elements": encode(list(unit.elements)).decode(),
        }
        for unit in units
    )
    cursor.executemany(_INSERT_UNIT, rows)


def insert_errors(cursor: Cursor[Any], run_id: str, errors: Sequence[ErrorDraft]) -> None:
    """Record errors within the caller's transaction."""
    if not errors:
        return
    rows = (
        {
            "id": error.id,
            "run_id": run_id,
            "resource": error.resource,
            "method": error.method,
            "code": error.code,
            "message": error.message,
            "details": encode(error.details).decode(),
            "at": error.at,
        }
        for error in errors
    )
    cursor.executemany(_INSERT_ERROR, rows)


def number_batches(cursor: Cursor[Any], account_id: str, drafts: Sequence[EventDraft]) -> Sequence[EventDraft]:
    """Set the number of each batch of records in the account's log; other events have none."""
    batches = [event for event in drafts if event.records]
    if not batches:
        return drafts
    sequence = account_log.take_numbers(cursor, account_id, len(batches)) - len(batches) + 1
    values = {"account_id": account_id, "webhook_id": batches[0].webhook_id}
    row = cursor.execute(_PREVIOUS_BATCH, values).fetchone()
    previous = row[0] if row else None
    numbered: dict[str, EventDraft] = {}
    for batch in batches:
        numbered[batch.id] = events.number_batch(batch, account_id, sequence, previous)
        sequence, previous = sequence + 1, sequence
    return [numbered.get(event.id, event) for event in drafts]


def insert_events(cursor: Cursor[Any], run_id: str, drafts: Sequence[EventDraft]) -> str | None:
    """Queue events for delivery within the caller's transaction and wake the run's delivery unit; return its id."""
    if not drafts:
        return None
    rows = (
        {
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
        for event in drafts
    )
    cursor.executemany(_INSERT_EVENT, rows)
    row = cursor.execute(_WAKE_DELIVERY_UNIT, {"run_id": run_id}).fetchone()
    return str(row[0]) if row else None


MOVE_FRONTIER: Final = f"""
    update unit
       set frontier = %(frontier)s::jsonb, pages = pages + %(pages)s, attempts = 0, updated_at = now(),
           idle_slices = case when %(has_progress)s then 0 else idle_slices end,
           status = coalesce(%(end)s::text, status),
           lease_expires_at = case when %(end)s::text is null
                                   then clock_timestamp() + make_interval(secs => %(lease_seconds)s) end
     where id = %(unit_id)s and fencing_token = %(fencing_token)s and status = '{UnitStatus.LEASED}'
"""
"""Move a unit on past a page, which may have taken a minute: it changes one row, or none when its lease is gone."""


_NO_FACTS: Final = {
    "first": None,
    "last": None,
    "expected": None,
    "has_paged": False,
    "reading": "{}",
    "has_gaps": False,
    **asdict(Exchanges()),
}


def adding(amounts: Mapping[str, str]) -> str:
    """Return the SQL that adds to a resource's counters and list facts; ``amounts`` are SQL, by counter.

    A counter without one takes a parameter of its own name. A resource that counts has begun.
    """
    sums = ", ".join(f"{name} = {name} + {amounts.get(name, f'%({name})s')}" for name in tables.COUNTERS)
    return f"""{sums},
           status = case when status = '{ResourceStatus.WAITING}' then '{ResourceStatus.RUNNING}' else status end,
           started_at = coalesce(started_at, now()), heard_at = now(),
           expected = coalesce(expected + %(expected)s::bigint, %(expected)s::bigint, expected),
           has_paged = has_paged or %(has_paged)s, has_gaps = has_gaps or %(has_gaps)s,
           reading = reading || %(reading)s::jsonb,
           requests = requests + %(requests)s, answered = answered + %(answered)s,
           answer_ms = answer_ms + %(answer_ms)s
    """


def adding_warning(code: str, count: str, message: str) -> str:
    """Return the SQL that adds to ``warnings`` a number of warnings, which may be 0, and keeps the first message."""
    held = f"warnings -> {code}"
    return f"""
        case when {count} = 0 then warnings else warnings || jsonb_build_object({code}, jsonb_build_object(
             'count', coalesce(({held} ->> 'count')::bigint, 0) + {count},
             'message', coalesce({held} ->> 'message', {message}))) end
    """


# Least and greatest ignore nulls.
_COUNT: Final = f"""
    update run_resource
       set {adding({})}, first_sequence = least(first_sequence, %(first)s::bigint),
           last_sequence = greatest(last_sequence, %(last)s::bigint)
     where id = %(resource_id)s
"""

_WARN: Final = f"""
    update run_resource set warnings = {adding_warning("%(code)s::text", "%(count)s::bigint", "%(message)s::text")}
     where id = %(resource_id)s
"""


_COUNT_SKIPPED: Final = """
    update run_resource set skipped = skipped + %(skipped)s, errors = errors + %(errors)s where id = %(resource_id)s
"""

HAS_PAGED: Final = text("""
    select exists (
        select from run_resource own join sync_job_run run on run.id = own.run_id
               join sync_job_run past on past.integrated_account_id = run.integrated_account_id
               join run_resource other on other.run_id = past.id
         where own.id = :resource_id and other.resource = own.resource and other.method = own.method
               and other.has_paged) as has_paged
""")


def fence_values(page: PageWrite) -> dict[str, object]:
    """Return what ``MOVE_FRONTIER`` takes."""
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
    """Return what ``adding`` takes of a page's list and of its requests."""
    known = {name: getattr(page, name) for name in ("expected", "has_paged", "has_gaps")}
    reading = encode({one.way: one.reason for one in page.readings}).decode()
    return {**known, "reading": reading, **asdict(page.exchanges)}


def count(cursor: Cursor[Any], resource_id: str, counters: Counters, facts: Mapping[str, object] = _NO_FACTS) -> None:
    """Add to a resource's counters, and to what else is known of it, within the caller's transaction."""
    amounts = {name: getattr(counters, name) for name in tables.COUNTERS}
    cursor.execute(_COUNT, {**_NO_FACTS, **facts, **amounts, "resource_id": resource_id})


def warn(cursor: Cursor[Any], resource_id: str, warnings: Iterable[PageWarning]) -> None:
    """Count warnings of a resource's lists within the caller's transaction."""
    for warning in warnings:
        values = {"code": warning.code, "count": warning.count, "message": warning.message}
        cursor.execute(_WARN, {**values, "resource_id": resource_id})


def move_frontier(cursor: Cursor[Any], page: PageWrite) -> None:
    """Move a unit on past a page; raise LeaseLostError when another worker holds its lease by now."""
    if cursor.execute(MOVE_FRONTIER, fence_values(page)).rowcount != 1:
        raise LeaseLostError


def count_page(
    cursor: Cursor[Any], page: PageWrite, counters: Counters, *, numbers: Sequence[int], replaced: int
) -> None:
    """Add a page to its resource: what it counts, what is known of its list, its part of the account's log.

    Then the requests of children that its failed requests keep from being made, with each child.
    """
    resource_id = page.claim.resource_id
    assert resource_id is not None
    first, last = (numbers[0], numbers[-1]) if numbers else (None, None)
    count(cursor, resource_id, counters, {**list_values(page), "first": first, "last": last})
    collisions = [replace(page.collision, count=replaced)] if replaced and page.collision is not None else []
    warn(cursor, resource_id, [*page.warnings, *collisions])
    for child_id, skipped in page.skipped.items():
        errors = page.child_errors.get(child_id, 0)
        cursor.execute(_COUNT_SKIPPED, {"resource_id": child_id, "skipped": skipped, "errors": errors})
