"""Read persisted records: in the order of their primary key, or those of one run in the order of the log."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, Text, cast, func, literal_column, select, tuple_

from app.engine.objects.lists import Page
from app.engine.objects.records import StoredRecord
from app.services.reading.ports import RecordFilters
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.database import reading

_TABLE = tables.record
# Read as text: integers beyond 64 bits stay exact, which the driver's JSON reader would round.
COLUMNS = (
    *(column for column in _TABLE.c if column.name not in ("data", "content_hash")),
    cast(_TABLE.c.data, Text).label("data_text"),
)
# True of every row; added to statements that should use the index of the log.
IS_IN_LOG = _TABLE.c.sequence >= literal_column("0")


@retry_conflicts
class RecordReader:
    """The persisted records."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records: those of a run in the order of the log, else by resource and id."""
        of_run = filters.sync_job_run_id is not None
        order = (_TABLE.c.sequence, _TABLE.c.remote_id) if of_run else (_TABLE.c.resource, _TABLE.c.remote_id)
        statement = _narrow(filters, order).order_by(*order).limit(filters.limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
        shown = rows[: filters.limit]
        has_next = len(rows) > filters.limit
        next_cursor = paging.encode_cursor(*(str(shown[-1][column.name]) for column in order)) if has_next else None
        return Page(result=[record_of(row) for row in shown], next_cursor=next_cursor, limit=filters.limit)


def _narrow(filters: RecordFilters, order: Sequence[ColumnElement[Any]]) -> Select[Any]:
    statement = narrow_records(select(*COLUMNS), filters)
    if filters.cursor:
        after = _after(filters.cursor, order)
        if after[0] == filters.resource and order[0] is _TABLE.c.resource:
            # Beside an equation on its first column Postgres begins a row comparison at that column's first row.
            statement = statement.where(_TABLE.c.remote_id > after[1])
        else:
            statement = statement.where(tuple_(*order) > after)
    return statement


def narrow_records(statement: Select[Any], filters: RecordFilters) -> Select[Any]:
    """Narrow a statement over records by all filters but the cursor."""
    statement = statement.where(_TABLE.c.integrated_account_id == filters.integrated_account_id)
    if not filters.with_deleted:
        statement = statement.where(_TABLE.c.deleted_at.is_(None))
    if filters.resource:
        statement = statement.where(_TABLE.c.resource == filters.resource)
    if filters.id is not None:
        statement = statement.where(_TABLE.c.remote_id == filters.id)
    if filters.sync_job_run_id:
        statement = statement.where(
            _TABLE.c.sync_job_run_id == filters.sync_job_run_id, IS_IN_LOG, _is_in_log_of(filters.sync_job_run_id)
        )
    return paging.with_times(statement, _TABLE, filters.times)


def _is_in_log_of(run_id: str) -> ColumnElement[bool]:
    """Return the condition of the part of the log that the run's changes lie in; a deleted run has no such part."""
    table = tables.run_resource
    first = select(func.min(table.c.first_sequence)).where(table.c.run_id == run_id).scalar_subquery()
    last = select(func.max(table.c.last_sequence)).where(table.c.run_id == run_id).scalar_subquery()
    return _TABLE.c.sequence.between(func.coalesce(first, 0), func.coalesce(last, 2**63 - 1))


def _after(cursor: str, order: Sequence[ColumnElement[Any]]) -> tuple[Any, ...]:
    leading, remote_id = paging.decode_cursor(cursor, 2)
    if order[0] is not _TABLE.c.sequence:
        return leading, remote_id
    if not (leading.isascii() and leading.isdigit() and len(leading) < 19):
        raise paging.bad_cursor()
    return int(leading), remote_id


def record_of(row: RowMapping) -> StoredRecord:
    """Make a record of a row of ``COLUMNS``."""
    return StoredRecord(
        integrated_account_id=str(row["integrated_account_id"]),
        resource=row["resource"],
        id=row["remote_id"],
        data=json.loads(row["data_text"]),
        sync_job_run_id=str(row["sync_job_run_id"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        synced_at=row["synced_at"],
        sequence=row["sequence"],
        deleted_at=row["deleted_at"],
    )
