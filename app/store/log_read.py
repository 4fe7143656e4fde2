"""Read the log of an account: what was persisted and what was sent to webhooks, in one order.

Rows of ``record`` stand at the number of their last change; batches of webhook runs at the number of their event.
"""

import json
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Text, cast, func, select

from app.engine.objects import LogPage, StoredRecord
from app.engine.record_rows import record_row
from app.services.records import LogFilters
from app.store import tables
from app.store.records_read import COLUMNS, record_of

_RECORD, _DELIVERY, _RESOURCE, _LOG = tables.record, tables.delivery, tables.run_resource, tables.account_log


class LogReader:
    """The logs of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, filters: LogFilters) -> LogPage:
        """Read on after a number; a batch is never parted, so that a page may hold more than ``limit`` records."""
        # One snapshot for both tables: a change between two reads could else be left out.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            changes = _changes(connection, filters)
            batches = _batches(connection, filters)
            trimmed = connection.execute(
                select(_LOG.c.trimmed_through).where(_LOG.c.integrated_account_id == filters.integrated_account_id)
            ).scalar_one_or_none()
        waiting = sorted([*([change] for change in changes), *batches], key=lambda entries: entries[0].sequence)
        result: list[StoredRecord] = []
        taken = 0
        for entries in waiting:
            if len(result) >= filters.limit:
                break
            result += entries
            taken += 1
        return LogPage(
            result=result,
            next_sequence=result[-1].sequence if taken < len(waiting) else None,
            limit=filters.limit,
            gap_until=trimmed if trimmed and trimmed > filters.after else None,
        )


def _changes(connection: Connection, filters: LogFilters) -> list[StoredRecord]:
    statement = (
        select(*COLUMNS)
        .where(_RECORD.c.integrated_account_id == filters.integrated_account_id, _RECORD.c.sequence > filters.after)
        .order_by(_RECORD.c.sequence)
        .limit(filters.limit + 1)
    )
    if filters.resource:
        statement = statement.where(_RECORD.c.resource == filters.resource)
    return [record_of(row) for row in connection.execute(statement).mappings()]


def _batches(connection: Connection, filters: LogFilters) -> list[list[StoredRecord]]:
    """Read as many batches as a page may need, and one more."""
    before = func.sum(_DELIVERY.c.records).over(order_by=_DELIVERY.c.log_sequence) - _DELIVERY.c.records
    numbered = (
        select(_DELIVERY.c.id, before.label("before"))
        .join(_RESOURCE, _RESOURCE.c.id == _DELIVERY.c.resource_id)
        .where(
            _DELIVERY.c.integrated_account_id == filters.integrated_account_id,
            _DELIVERY.c.log_sequence > filters.after,
        )
        .order_by(_DELIVERY.c.log_sequence)
        .limit(filters.limit + 1)
    )
    if filters.resource:
        numbered = numbered.where(_RESOURCE.c.resource == filters.resource)
    chosen = numbered.subquery()
    statement = (
        select(_DELIVERY.c.log_sequence, _DELIVERY.c.created_at, cast(_DELIVERY.c.run_id, Text), _DELIVERY.c.body)
        .join(chosen, chosen.c.id == _DELIVERY.c.id)
        .where(chosen.c.before <= filters.limit)
        .order_by(_DELIVERY.c.log_sequence)
    )
    batches = [_batch(row) for row in connection.execute(statement).mappings()]
    return [batch for batch in batches if batch]


def _batch(row: RowMapping) -> list[StoredRecord]:
    payload: dict[str, Any] = json.loads(bytes(row["body"]) or b"{}").get("payload", {})
    return [
        StoredRecord(
            integrated_account_id=payload["integrated_account_id"],
            resource=payload["resource"],
            id=record_row(record, ("id",)).remote_id,
            data=record,
            sync_job_run_id=row["run_id"],
            created_at=row["created_at"],
            updated_at=row["created_at"],
            synced_at=row["created_at"],
            sequence=row["log_sequence"],
        )
        for record in payload.get("records", ())
    ]
