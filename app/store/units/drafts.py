"""Insert the units, events and errors that a run makes, within the transaction of what makes them."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Cursor

from app.engine.records.rows import encode
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft, UnitKind
from app.engine.status import UnitStatus
from app.engine.webhooks import events
from app.store.records import account_log

_INSERT_UNIT: Final = """
    insert into unit (id, run_id, resource_id, kind, status, elements)
    values (%(id)s, %(run_id)s, %(resource_id)s, %(kind)s, %(status)s, %(elements)s::jsonb)
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
