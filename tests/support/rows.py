"""Rows for the tests of one store, written without the services that would make them."""

from typing import Any

from sqlalchemy import Engine, insert

from app.engine.ids import new_id
from app.store import tables


def put(engine: Engine, table: str, **values: Any) -> str:
    """Insert a row, with an id of its own unless one is given; return its key."""
    target = tables.metadata.tables[table]
    if "id" in target.c and target.c.id.identity is None:
        values.setdefault("id", new_id())
    with engine.begin() as connection:
        return str(connection.execute(insert(target).values(**values).returning(*target.primary_key)).one()[0])
