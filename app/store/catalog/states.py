"""States in Postgres; writing one twice leaves one."""

from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunState
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.db.row_versions import demand, unchanged

_TABLE = tables.sync_job_run_state


@retry_conflicts
class StateStore:
    """The states of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[RunState, bool]:
        """Write a value, new or in the place of the present one; return whether it is new."""
        changes: dict[str, Any] = {"value": values["value"], "sync_job_run_id": values.get("sync_job_run_id")}
        written = insert(_TABLE).values(id=new_id(), environment_id=environment_id, **{**values, **changes})
        statement = written.on_conflict_do_update(
            constraint="sync_job_run_state_place", set_={**changes, "updated_at": func.now()}
        ).returning(_TABLE, literal_column("xmax = 0").label("is_new"))
        with self._engine.begin() as connection:
            row = connection.execute(statement).mappings().one()
        return _state(row), row["is_new"]

    def get(self, environment_id: EnvironmentId, state_key: str, key: str) -> RunState | None:
        """Read one value."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_TABLE).where(_at(environment_id, state_key, key))).mappings().one_or_none()
        return _state(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunState]:
        """Read a page of values."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _state, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        state_key: str,
        key: str,
        values: JsonObject,
        *,
        seen: RowVersion | None = None,
    ) -> RunState | None:
        """Replace a value that exists."""
        statement = update(_TABLE).where(_at(environment_id, state_key, key), unchanged(_TABLE, seen))
        with self._engine.begin() as connection:
            changed = statement.values(**values, updated_at=func.now()).returning(_TABLE)
            row = connection.execute(changed).mappings().one_or_none()
        demand(row is not None, seen)
        return _state(row) if row else None

    def delete(
        self, environment_id: EnvironmentId, state_key: str, key: str, *, seen: RowVersion | None = None
    ) -> bool:
        """Remove a value; return whether there was one."""
        statement = delete(_TABLE).where(_at(environment_id, state_key, key), unchanged(_TABLE, seen))
        with self._engine.begin() as connection:
            is_done = connection.execute(statement).rowcount == 1
        demand(is_done, seen)
        return is_done


def _at(environment_id: EnvironmentId, state_key: str, key: str) -> ColumnElement[bool]:
    columns = _TABLE.c
    return and_(columns.environment_id == environment_id, columns.state_key == state_key, columns.key == key)


def _state(row: Row) -> RunState:
    return build_object(RunState, row)
