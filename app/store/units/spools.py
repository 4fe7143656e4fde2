"""What spools gather in Postgres: written with the pages that it comes of, read and removed with what it becomes."""

import json
from collections.abc import Sequence
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Connection, Engine, func, select, text

from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.engine.record_errors import SpoolError
from app.engine.runs.work import PageWrite, UnitDraft
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import driver_cursor, reading
from app.store.units.checkpoint import insert_units

_IS_DUE = text("""
    select not exists(select from unit where resource_id = :resource_id)
           or exists(select from spool_batch where resource_id = :resource_id and closed_as is null)
""")

_CLOSE = text("""
    update spool_batch set closed_as = cast(:closed_as as uuid) where resource_id = :resource_id and closed_as is null
""")

_INSERT: Final = "insert into spool_batch (resource_id, bytes, records) values (%s, %s, %s)"
_REMOVE: Final = "delete from spool_batch where closed_as = any(%s::uuid[])"

_BATCH = tables.spool_batch


@retry_conflicts
class SpoolStore:
    """The spools of all runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, closed_as: str, *, limit_bytes: int) -> Sequence[JSON]:
        """Read all records that were closed together, in the order of their batches; raise SpoolError for too many."""
        closed = _BATCH.c.closed_as == closed_as
        with reading(self._engine) as connection:
            size = connection.execute(select(func.sum(_BATCH.c.bytes)).where(closed)).scalar_one() or 0
            if size > limit_bytes:
                raise SpoolError(
                    f"the spool has gathered {size} bytes; it passes on at most {limit_bytes} as one batch"
                )
            batches = connection.execute(select(_BATCH.c.records).where(closed).order_by(_BATCH.c.id)).scalars().all()
        return [record for batch in batches for record in json.loads(batch)]


def write(cursor: Cursor[Any], page: PageWrite) -> None:
    """Keep what a page adds to spools, and remove what one has passed on, within the caller's transaction."""
    if page.gathered:
        rows = ((batch.resource_id, len(batch.records), batch.records) for batch in page.gathered)
        cursor.executemany(_INSERT, rows)
    if page.given_on:
        cursor.execute(_REMOVE, [list(page.given_on)])


def close(connection: Connection, run_id: str, resource_id: str) -> str | None:
    """Make a unit of what a spool has gathered, unless all of it was passed on; return the unit's id.

    The caller holds the run's lock, and the spool's parent has ended.
    """
    if not connection.execute(_IS_DUE, {"resource_id": resource_id}).scalar_one():
        return None
    draft = UnitDraft(id=new_id(), resource_id=resource_id, elements=[{"spool": new_id()}])
    connection.execute(_CLOSE, {"resource_id": resource_id, "closed_as": draft.elements[0]["spool"]})
    with driver_cursor(connection) as cursor:
        insert_units(cursor, run_id, [draft])
    return draft.id
