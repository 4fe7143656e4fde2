"""Schemas as the API shows and changes them: with their views and their history."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, select, text

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.schemas.changes import find_changes
from app.engine.schemas.stored import SchemaEntry, StoredSchema
from app.services.ports import ChangeSchema
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.row_versions import demand, unchanged
from app.store.schemas.schemas import build_schema, write_schema

_SCHEMA: Final = tables.resource_schema
_READER: Final = tables.environment_reader
_HISTORY: Final = text("""
    select s.id as schema_id, h.kind, h.column_name, h.details, h.created_at
      from unnest(cast(:ids as uuid[])) s (id)
     cross join lateral (select * from resource_schema_change where schema_id = s.id order by id desc limit 100) h
""")


@retry_conflicts
class ShownSchemaStore:
    """The schemas of all environments, by their ids."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, environment_id: EnvironmentId, id: str) -> StoredSchema | None:
        """Read one schema."""
        row = owned_rows.find_row(self._engine, _SCHEMA, environment_id, id)
        return self._complete(environment_id, [_build(row)])[0] if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[StoredSchema]:
        """Read a page of schemas."""
        page = owned_rows.list_rows(self._engine, _SCHEMA, environment_id, _build, filters)
        return replace(page, result=list(self._complete(environment_id, page.result)))

    def update(
        self, environment_id: EnvironmentId, id: str, change: ChangeSchema, *, seen: RowVersion | None = None
    ) -> StoredSchema | None:
        """Change a schema; None when it is not there."""
        mine = _SCHEMA.c.environment_id == environment_id, _SCHEMA.c.id == id
        with self._engine.begin() as connection:
            if connection.execute(select(_SCHEMA.c.id).where(*mine)).first() is None:
                return None
            locked = select(_SCHEMA).where(*mine, unchanged(_SCHEMA, seen)).with_for_update()
            row = connection.execute(locked).mappings().one_or_none()
            demand(row is not None, seen)
            if row is not None:
                before = build_schema(row)
                after = change(before)
                if after != before:
                    write_schema(connection, id, after, find_changes(before, after))
        return self.get(environment_id, id)

    def _complete(self, environment_id: EnvironmentId, found: Sequence[StoredSchema]) -> Sequence[StoredSchema]:
        with reading(self._engine) as connection:
            history = _read_history(connection, [one.id for one in found])
            statement = select(_READER).where(_READER.c.environment_id == environment_id)
            reader: Mapping[Any, Any] = connection.execute(statement).mappings().one_or_none() or {}
        error = reader.get("error")
        role = reader.get("role") if error is None else None
        return [replace(one, history=history.get(one.id, ()), reader=role, reader_error=error) for one in found]


def _read_history(connection: Connection, ids: Sequence[str]) -> Mapping[str, Sequence[SchemaEntry]]:
    found: defaultdict[str, list[SchemaEntry]] = defaultdict(list)
    for row in connection.execute(_HISTORY, {"ids": list(ids)}):
        entry = SchemaEntry(change=row.kind, column=row.column_name, details=row.details, created_at=row.created_at)
        found[str(row.schema_id)].append(entry)
    return found


def _build(row: Row) -> StoredSchema:
    is_shown = row["view_name"] is not None and row["view_version"] > 0
    return StoredSchema(
        id=str(row["id"]),
        schema=build_schema(row),
        version=row["version"],
        view=f"{row['view_schema']}.{row['view_name']}" if is_shown else None,
        view_error=row["view_error"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
