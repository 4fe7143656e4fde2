"""Environments in Postgres."""

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.objects.environments import Environment, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows, paging
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.db.row_versions import demand, unchanged

_TABLE = tables.environment


@retry_conflicts
class EnvironmentStore:
    """All environments; ``own`` is the one that the caller's token belongs to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, name: str) -> Environment:
        """Write an environment; raise InvalidInputError when its name is taken."""
        try:
            return _environment(owned_rows.insert_row(self._engine, _TABLE, {"id": new_id(), "name": name}))
        except IntegrityError as error:
            raise _refuse_taken(name) from error

    def rename(self, own: EnvironmentId, name: str, *, seen: RowVersion | None = None) -> Environment:
        """Rename an environment; raise InvalidInputError when the name is taken."""
        statement = update(_TABLE).where(_TABLE.c.id == own, unchanged(_TABLE, seen))
        changed = statement.values(name=name, updated_at=func.now()).returning(_TABLE)
        try:
            with self._engine.begin() as connection:
                row = connection.execute(changed).mappings().one_or_none()
        except IntegrityError as error:
            raise _refuse_taken(name) from error
        demand(row is not None, seen)
        assert row is not None  # it exists: the caller's token belongs to it
        return _environment(row)

    def find_by_name(self, name: str) -> Environment | None:
        """Find an environment by its name."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.name == name)).mappings().one_or_none()
        return _environment(row) if row else None

    def all(self) -> list[Environment]:
        """List all environments, the oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(_TABLE).order_by(_TABLE.c.created_at, _TABLE.c.id)).mappings()
            return [_environment(row) for row in rows]

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        """List the one environment, if the filters match it."""
        statement = select(_TABLE).where(_TABLE.c.id == own)
        statement = paging.narrow(statement, _TABLE, filters)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection,
                statement,
                _TABLE,
                _environment,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
            )


def _refuse_taken(name: str) -> InvalidInputError:
    return InvalidInputError([Failure("name", f"an environment called '{name}' exists already")])


def _environment(row: Row) -> Environment:
    return build_object(Environment, row)
