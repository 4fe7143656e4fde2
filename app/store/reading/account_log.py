"""Read the log of an account: what was persisted and what was sent to webhooks, in one order.

Rows of ``record`` stand at the number of their last change; batches of webhook runs at the number of their event.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Text, cast, func, select, text

from app.engine.objects.records import LogPage, StoredRecord
from app.engine.records.keys import BY_ID
from app.engine.records.outcomes import Change
from app.engine.records.rows import make_row
from app.services.reading.ports import LogFilters
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.reading.records import COLUMNS, IS_IN_LOG, record_of

_RECORD, _DELIVERY, _RESOURCE = tables.record, tables.delivery, tables.run_resource
_TRIMMED = text("select trimmed_through from account_log where integrated_account_id = :account_id")


@retry_conflicts
class LogReader:
    """The logs of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, filters: LogFilters) -> LogPage:
        """Read on after a number; a batch is never parted, so that a page may hold more than ``limit`` records."""
        # One snapshot for all of it: a change between two reads could else be left out.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            changes = _changes(connection, filters)
            sizes = {change.sequence: 1 for change in changes} | _batch_sizes(connection, filters)
            taken = _fitting(sizes, filters.limit)
            batches = _batches(connection, filters.integrated_account_id, taken)
            trimmed = connection.execute(_TRIMMED, {"account_id": filters.integrated_account_id}).scalar_one_or_none()
        result = [change for change in changes if change.sequence in taken] + batches
        return LogPage(
            result=sorted(result, key=lambda record: record.sequence),
            next_sequence=max(taken) if len(taken) < len(sizes) else None,
            limit=filters.limit,
            gap_until=trimmed if trimmed and trimmed > filters.after else None,
        )


def _fitting(sizes: Mapping[int, int], limit: int) -> set[int]:
    """Choose the first numbers whose records come to ``limit``, the last of them perhaps beyond it."""
    taken: set[int] = set()
    count = 0
    for sequence in sorted(sizes):
        if count >= limit:
            break
        taken.add(sequence)
        count += sizes[sequence]
    return taken


def _changes(connection: Connection, filters: LogFilters) -> list[StoredRecord]:
    statement = (
        select(*COLUMNS)
        .where(
            _RECORD.c.integrated_account_id == filters.integrated_account_id,
            _RECORD.c.sequence > filters.after,
            IS_IN_LOG,
        )
        .order_by(_RECORD.c.sequence)
        .limit(filters.limit + 1)
    )
    if filters.resource:
        statement = statement.where(_RECORD.c.resource == filters.resource)
    return [record_of(row) for row in connection.execute(statement).mappings()]


def _batch_sizes(connection: Connection, filters: LogFilters) -> dict[int, int]:
    """Count the records of as many batches as a page may hold, and of one more."""
    statement = (
        select(_DELIVERY.c.log_sequence, _DELIVERY.c.records)
        .where(
            _DELIVERY.c.integrated_account_id == filters.integrated_account_id,
            _DELIVERY.c.log_sequence > filters.after,
            func.length(_DELIVERY.c.body) > 0,
        )
        .order_by(_DELIVERY.c.log_sequence)
        .limit(filters.limit + 1)
    )
    if filters.resource:
        statement = statement.join(_RESOURCE, _RESOURCE.c.id == _DELIVERY.c.resource_id)
        statement = statement.where(_RESOURCE.c.resource == filters.resource)
    return {row.log_sequence: row.records for row in connection.execute(statement)}


def _batches(connection: Connection, account_id: str, sequences: Collection[int]) -> list[StoredRecord]:
    statement = select(
        _DELIVERY.c.log_sequence, _DELIVERY.c.created_at, cast(_DELIVERY.c.run_id, Text), _DELIVERY.c.body
    ).where(_DELIVERY.c.integrated_account_id == account_id, _DELIVERY.c.log_sequence.in_(sequences))
    return [record for row in connection.execute(statement).mappings() for record in _batch(row)]


def _batch(row: RowMapping) -> list[StoredRecord]:
    payload: dict[str, Any] = json.loads(bytes(row["body"]))["payload"]
    ids = payload["meta"].get("ids") or [make_row(record, BY_ID).remote_id for record in payload["records"]]
    is_deleted = payload["meta"].get("change") == Change.DELETED
    return [
        StoredRecord(
            integrated_account_id=payload["integrated_account_id"],
            resource=payload["resource"],
            id=id,
            data=record,
            sync_job_run_id=row["run_id"],
            created_at=row["created_at"],
            updated_at=row["created_at"],
            synced_at=row["created_at"],
            sequence=row["log_sequence"],
            deleted_at=row["created_at"] if is_deleted else None,
        )
        for id, record in zip(ids, payload["records"], strict=True)
    ]
