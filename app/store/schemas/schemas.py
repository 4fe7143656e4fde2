"""The schemas of resources in Postgres, and their columns as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave

from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.changes import SchemaChange, find_changes
from app.engine.schemas.columns import Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.times import format_utc_or_none
from app.engine.webhooks.events import SCHEMA_CHANGED, draft_schema_changed
from app.services.ports import ChangeSchema
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.announcements.announcements import announce
from app.store.db.database import Row, reading


def dump_columns(columns: Sequence[Column]) -> list[JsonObject]:
    """Return columns as JSON."""
    return [
        {
            "name": column.name,
            "key": column.key,
            "type": column.type.value,
            "is_declared": column.is_declared,
            "is_ignored": column.is_ignored,
            "first_seen_at": format_utc_or_none(column.first_seen_at),
            "last_seen_at": format_utc_or_none(column.last_seen_at),
        }
        for column in columns
    ]


def load_columns(dumped: Sequence[JsonObject]) -> tuple[Column, ...]:
    """Return the columns that JSON describes."""
    return tuple(
        Column(
            name=column["name"],
            key=column["key"],
            type=ColumnType(column["type"]),
            is_declared=column["is_declared"],
            is_ignored=column["is_ignored"],
            first_seen_at=_load_time(column["first_seen_at"]),
            last_seen_at=_load_time(column["last_seen_at"]),
        )
        for column in dumped
    )


def _load_time(dumped: str | None) -> datetime | None:
    return None if dumped is None else datetime.fromisoformat(dumped)


_SCHEMA: Final = tables.resource_schema
# Only the schemas leave the configs, which may be large and hold what is sealed. A later one goes before.
_DECLARED: Final = text("""
    with config as (
        select 2 as place, '' as prefix, i.config -> 'resources' as resources from integration i
         where i.environment_id = :environment_id and i.name = :integration_name
        union all
        select 3, '', o.override -> 'resources' from environment_integration o
          join integration i on i.id = o.integration_id
         where i.environment_id = :environment_id and i.name = :integration_name
        union all
        select 1, m.name || '/', m.resources from unified_model m where m.environment_id = :environment_id)
    select prefix || key as resource, value -> 'schema' as schema
      from config, jsonb_each(case when jsonb_typeof(resources) = 'object' then resources else '{}' end) one
     where jsonb_typeof(value) = 'object' and jsonb_typeof(value -> 'schema') = 'object'
     order by place, prefix, key
""")


@retry_conflicts
class SchemaStore:
    """The schemas of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, environment_id: EnvironmentId, integration_name: str, resource: str) -> ResourceSchema | None:
        """Return one; None while nothing is known of it."""
        found = self.list(environment_id, integration_name=integration_name, resource=resource)
        return found[0] if found else None

    def list(
        self, environment_id: EnvironmentId, *, integration_name: str | None = None, resource: str | None = None
    ) -> Sequence[ResourceSchema]:
        """Return those of an environment, of one integration or of resources of a name, in the order of their names."""
        statement = select(_SCHEMA).where(_SCHEMA.c.environment_id == environment_id)
        if integration_name is not None:
            statement = statement.where(_SCHEMA.c.integration_name == integration_name)
        if resource is not None:
            statement = statement.where(_SCHEMA.c.resource == resource)
        statement = statement.order_by(_SCHEMA.c.integration_name, _SCHEMA.c.resource)
        with reading(self._engine) as connection:
            return [build_schema(row) for row in connection.execute(statement).mappings()]

    def list_declared(self, environment_id: EnvironmentId, integration_name: str) -> Mapping[str, JSON]:
        """Return the JSON Schema of each resource that has one: of an integration, its environment, unified models."""
        values = {"environment_id": environment_id, "integration_name": integration_name}
        with reading(self._engine) as connection:
            return {row.resource: row.schema for row in connection.execute(_DECLARED, values)}

    def save(
        self, environment_id: EnvironmentId, integration_name: str, resource: str, change: ChangeSchema
    ) -> ResourceSchema:
        """Change one, which need not be there yet, and keep what has changed as its history; return it then.

        Whoever else changes it waits, and changes what this has left.
        """
        with self._engine.begin() as connection:
            row = _lock(connection, environment_id, integration_name, resource)
            before = build_schema(row)
            after = change(before)
            if after != before:
                write_schema(connection, row["id"], after, find_changes(before, after))
        return after


def build_schema(row: Row) -> ResourceSchema:
    """Build a schema from its row."""
    return ResourceSchema(
        environment_id=str(row["environment_id"]),
        integration_name=row["integration_name"],
        resource=row["resource"],
        columns=load_columns(row["columns"]),
        policy=SchemaPolicy(row["policy"]),
        left_out=row["left_out"],
    )


def write_schema(
    connection: Connection, schema_id: str, schema: ResourceSchema, changes: Sequence[SchemaChange]
) -> None:
    """Write a schema whose row the caller has locked, with what has changed of it, which is announced if that is asked.

    When columns were last seen is no change.
    """
    values: dict[str, Any] = {"columns": dump_columns(schema.columns), "policy": schema.policy.value}
    if changes:
        values |= {"version": _SCHEMA.c.version + 1, "updated_at": func.now()}
    statement = update(_SCHEMA).where(_SCHEMA.c.id == schema_id).values(**values, left_out=schema.left_out)
    at = connection.execute(statement.returning(_SCHEMA.c.updated_at)).scalar_one()
    entries = [
        {"schema_id": schema_id, "kind": change.kind.value, "column_name": change.column, "details": change.details}
        for change in changes
    ]
    if entries:
        connection.execute(insert(tables.resource_schema_change), entries)
    if changes and schema.policy is SchemaPolicy.NOTIFY:
        announce(
            connection,
            EnvironmentId(schema.environment_id),
            SCHEMA_CHANGED,
            lambda to: draft_schema_changed(schema, changes, to=to, at=at),
        )


def _lock(connection: Connection, environment_id: EnvironmentId, integration_name: str, resource: str) -> Row:
    place = {"environment_id": environment_id, "integration_name": integration_name, "resource": resource}
    locked = select(_SCHEMA).filter_by(**place).with_for_update()
    row = connection.execute(locked).mappings().one_or_none()
    if row is not None:
        return row
    made = insert_or_leave(_SCHEMA).values(id=new_id(), **place).on_conflict_do_nothing()
    connection.execute(made)
    return connection.execute(locked).mappings().one()
