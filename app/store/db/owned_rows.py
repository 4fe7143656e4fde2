"""What the stores of an environment's things share: rows found, changed and removed, always within it."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Select, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store.db import paging
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.row_versions import demand, unchanged

T = TypeVar("T")


@retry_conflicts
class OwnedStore(Generic[T]):
    """The objects of one table: each belongs to an environment, and is found, changed and removed within it alone."""

    def __init__(self, engine: Engine, table: Table, build: Callable[[Row], T]) -> None:
        """``build`` makes an object of its row."""
        self._engine = engine
        self._table = table
        self._build = build

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> T:
        """Write a new object."""
        return self._build(
            insert_row(self._engine, self._table, {**values, "id": id, "environment_id": environment_id})
        )

    def get(self, environment_id: EnvironmentId, id: str) -> T | None:
        """Read one object."""
        row = find_row(self._engine, self._table, environment_id, id)
        return self._build(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[T]:
        """Read a page of objects."""
        return list_rows(self._engine, self._table, environment_id, self._build, filters)

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> T | None:
        """Change an object."""
        row = update_row(self._engine, self._table, environment_id, id, values, seen=seen)
        return self._build(row) if row else None

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove an object; what the database binds to it goes with it."""
        return delete_row(self._engine, self._table, environment_id, id, seen=seen)


@retry_conflicts
class NamedStore(OwnedStore[T]):
    """The objects of one table that have names, and count their versions."""

    def __init__(self, engine: Engine, table: Table, build: Callable[[Row], T], *, kind: str) -> None:
        """``kind`` is what a message calls one, with its article."""
        super().__init__(engine, table, build)
        self._kind = kind

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> T:
        """Write a new object; raise InvalidInputError when its name is taken."""
        try:
            return super().create(environment_id, id, values)
        except IntegrityError as error:
            message = f"{self._kind} called '{values['name']}' exists already"
            raise InvalidInputError([Failure("name", message)]) from error

    def find_by_name(self, environment_id: EnvironmentId, name: str) -> T | None:
        """Find an object by its name."""
        row = self._find_named(environment_id, name)
        return self._build(row) if row else None

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
        version: int | None = None,
    ) -> T | None:
        """Change an object that is still at ``version``; None when it is not, or not there."""
        row = update_row(self._engine, self._table, environment_id, id, values, version=version, seen=seen)
        return self._build(row) if row else None

    def _find_named(self, environment_id: EnvironmentId, name: str) -> Row | None:
        with reading(self._engine) as connection:
            statement = select_in(self._table, environment_id).where(self._table.c.name == name)
            return connection.execute(statement).mappings().one_or_none()


def select_in(table: Table, environment_id: EnvironmentId) -> Select[Any]:
    """Select an environment's rows."""
    return select(table).where(table.c.environment_id == environment_id)


def insert_row(engine: Engine, table: Table, values: Mapping[str, Any]) -> Row:
    """Write a row; return it as it is then."""
    with engine.begin() as connection:
        return connection.execute(insert(table).values(**values).returning(table)).mappings().one()


def find_row(engine: Engine, table: Table, environment_id: EnvironmentId, id: str) -> Row | None:
    """Find a row by its id."""
    return autocommit_of(engine).one(_one_of(table), {"environment": environment_id, "id": id})


@functools.cache
def _one_of(table: Table) -> Select[Any]:
    """Return the statement that finds a row: SQLAlchemy takes longer to build one than Postgres to run it."""
    return select(table).where(table.c.environment_id == bindparam("environment"), table.c.id == bindparam("id"))


def update_row(
    engine: Engine,
    table: Table,
    environment_id: EnvironmentId,
    id: str,
    values: Mapping[str, Any],
    *,
    version: int | None = None,
    seen: RowVersion | None = None,
) -> Row | None:
    """Change a row, if it is at ``version``, which is incremented then; return it as it is then.

    Raises PreconditionFailedError when it is not as it was ``seen``.
    """
    statement = update(table).where(table.c.id == id, table.c.environment_id == environment_id, unchanged(table, seen))
    if version is not None:
        statement = statement.where(table.c.version == version).values(version=version + 1)
    statement = statement.values(**values, updated_at=func.now()).returning(table)
    with engine.begin() as connection:
        row = connection.execute(statement).mappings().one_or_none()
    demand(row is not None, seen)
    return row


def delete_row(
    engine: Engine, table: Table, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None
) -> bool:
    """Remove a row; return whether it was there. Raises PreconditionFailedError when it is not as it was ``seen``."""
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
    statement = paging.narrow(statement, table, filters)
    with reading(engine) as connection:
        return paging.read_page(
            connection, statement, table, make, limit=filters.limit, cursor=filters.cursor, sort=filters.sort
        )


def build_object(kind: type[T], row: Row, /, **values: object) -> T:
    """Build an object from the columns that are named as its fields; ``values`` are those that are not.

    Ids are texts, however a row was read.
    """
    for field in fields(kind):  # type: ignore[arg-type]  # a data class, as all objects are
        if field.name not in values and field.name in row:
            value = row[field.name]
            values[field.name] = str(value) if isinstance(value, UUID) else value
    return kind(**values)
