"""What the stores of an environment's things share: rows found, changed and removed, always within it."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Engine, Select, Table, bindparam, delete, func, insert, select, update

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.store.db import paging
from app.store.db.autocommit import singles_of
from app.store.db.database import Row, reading
from app.store.db.row_versions import demand, unchanged

T = TypeVar("T")


def select_in(table: Table, environment_id: EnvironmentId) -> Select[Any]:
    """Select an environment's rows."""
    return select(table).where(table.c.environment_id == environment_id)


def insert_row(engine: Engine, table: Table, values: Mapping[str, Any]) -> Row:
    """Write a row; give it as it is then."""
    with engine.begin() as connection:
        return connection.execute(insert(table).values(**values).returning(table)).mappings().one()


def find_row(engine: Engine, table: Table, environment_id: EnvironmentId, id: str) -> Row | None:
    """Find a row by its id."""
    return singles_of(engine).one(_one_of(table), {"environment": environment_id, "id": id})


@functools.cache
def _one_of(table: Table) -> Select[Any]:
    """Make the statement that finds a row: SQLAlchemy takes longer to build one than Postgres to run it."""
    return select(table).where(table.c.environment_id == bindparam("environment"), table.c.id == bindparam("id"))


def update_row(
    engine: Engine,
    table: Table,
    environment_id: EnvironmentId,
    id: str,
    values: Mapping[str, Any],
    *,
    seen: RowVersion | None = None,
) -> Row | None:
    """Change a row; give it as it is then. Raises PreconditionFailedError when it is not as it was ``seen``."""
    statement = (
        update(table)
        .where(table.c.id == id, table.c.environment_id == environment_id, unchanged(table, seen))
        .values(**values, updated_at=func.now())
        .returning(table)
    )
    with engine.begin() as connection:
        row = connection.execute(statement).mappings().one_or_none()
    demand(row is not None, seen)
    return row


def delete_row(
    engine: Engine, table: Table, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None
) -> bool:
    """Remove a row; tell whether it was there. Raises PreconditionFailedError when it is not as it was ``seen``."""
    statement = delete(table).where(table.c.id == id, table.c.environment_id == environment_id, unchanged(table, seen))
    with engine.begin() as connection:
        is_done = connection.execute(statement).rowcount == 1
    demand(is_done, seen)
    return is_done


def list_rows(
    engine: Engine,
    table: Table,
    environment_id: EnvironmentId,
    make: Callable[[Row], T],
    filters: ListFilters,
    *,
    only: ColumnElement[bool] | None = None,
) -> Page[T]:
    """Read a page of an environment's rows, or of ``only`` some of them."""
    statement = select_in(table, environment_id)
    if only is not None:
        statement = statement.where(only)
    statement = paging.narrowed(statement, table, filters)
    with reading(engine) as connection:
        return paging.read_page(
            connection, statement, table, make, limit=filters.limit, cursor=filters.cursor, sort=filters.sort
        )
