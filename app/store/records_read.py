"""Read persisted records, in the order of their primary key."""

import json
from typing import Any

from sqlalchemy import Engine, RowMapping, Select, Text, cast, select, tuple_

from app.engine.objects import Page, StoredRecord
from app.services.records import RecordFilters
from app.store import paging, tables

_TABLE = tables.record
# Read as text: integers beyond 64 bits stay exact, which the driver's JSON reader would round.
COLUMNS = (
    *(column for column in _TABLE.c if column.name not in ("data", "content_hash")),
    cast(_TABLE.c.data, Text).label("data_text"),
)


class RecordReader:
    """The persisted records."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records, by resource and id."""
        statement = _narrowed(filters).order_by(_TABLE.c.resource, _TABLE.c.remote_id).limit(filters.limit + 1)
        with self._engine.connect() as connection:
            rows = connection.execute(statement).mappings().all()
        shown = rows[: filters.limit]
        has_next = len(rows) > filters.limit
        next_cursor = paging.encode_cursor(shown[-1]["resource"], shown[-1]["remote_id"]) if has_next else None
        return Page(result=[record_of(row) for row in shown], next_cursor=next_cursor, limit=filters.limit)


def _narrowed(filters: RecordFilters) -> Select[Any]:
    statement = select(*COLUMNS).where(_TABLE.c.integrated_account_id == filters.integrated_account_id)
    if not filters.with_deleted:
        statement = statement.where(_TABLE.c.deleted_at.is_(None))
    if filters.resource:
        statement = statement.where(_TABLE.c.resource == filters.resource)
    if filters.sync_job_run_id:
        statement = statement.where(_TABLE.c.sync_job_run_id == filters.sync_job_run_id)
    if filters.cursor:
        after = tuple(paging.decode_cursor(filters.cursor, 2))
        statement = statement.where(tuple_(_TABLE.c.resource, _TABLE.c.remote_id) > after)
    return paging.with_times(statement, _TABLE, filters.times)


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
