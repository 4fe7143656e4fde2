"""The tables of a destination: made once, columns only ever added, under names that are recorded beside them.

What is recorded keeps three things apart: a table that Ferryman made, one of somebody else's by the same name, which is
left alone, and one that was made and is gone, which is not made again with a hole in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from app.engine.errors import DestinationError
from app.engine.objects.destinations import Layout, WriteMode
from app.engine.schemas.columns import Column, ResourceSchema
from app.engine.schemas.names import fold_name, make_unique
from app.services.destinations.ports import Target

Connection = psycopg.Connection[tuple[Any, ...]]

CONTROL: Final = "ferryman"
"""The schema of what Ferryman notes for itself."""
MOST_COLUMNS: Final = 1600
"""Of one table, by Postgres."""
_NOTES: Final = (
    sql.SQL("""
        create table if not exists ferryman._ferryman_table (
            environment_id uuid not null, integration_name text not null, resource text not null,
            tenant_id text not null, schema_name text not null, table_name text not null, mode text not null,
            is_made boolean not null default false, epoch integer not null default 0,
            created_at timestamptz not null default now(),
            primary key (environment_id, integration_name, resource, tenant_id),
            unique (schema_name, table_name))
    """),
    sql.SQL("""
        create table if not exists ferryman._ferryman_cursor (
            destination_id uuid not null, account_id uuid not null, epoch integer not null, cursor bigint not null,
            fence bigint not null, written_at timestamptz not null default now(),
            primary key (destination_id, account_id))
    """),
)
_HAS_SCHEMA: Final = sql.SQL("select exists (select from pg_namespace where nspname = %s)")
_HAS_NOTES: Final = sql.SQL("""
    select to_regclass('ferryman._ferryman_table') is not null and to_regclass('ferryman._ferryman_cursor') is not null
""")
_FIND: Final = sql.SQL("""
    select schema_name, table_name, mode, is_made, epoch from ferryman._ferryman_table
     where environment_id = %s and integration_name = %s and resource = %s and tenant_id = %s
""")
_FIND_ALL: Final = sql.SQL("""
    select schema_name, table_name from ferryman._ferryman_table
     where environment_id = %s and resource = %s and tenant_id = %s and is_made
           and to_regclass(format('%%I.%%I', schema_name, table_name)) is not null
""")
_TAKEN: Final = sql.SQL("""
    select table_name from ferryman._ferryman_table where schema_name = %(schema)s
    union select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = %(schema)s
""")
_NOTE: Final = sql.SQL("""
    insert into ferryman._ferryman_table
           (environment_id, integration_name, resource, tenant_id, schema_name, table_name, mode)
    values (%s, %s, %s, %s, %s, %s, %s)
""")
_MADE: Final = sql.SQL("""
    update ferryman._ferryman_table set is_made = true, epoch = %s where schema_name = %s and table_name = %s
""")
_COLUMNS: Final = sql.SQL("""
    select attname from pg_attribute
     where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and attnum > 0 and not attisdropped
""")
_USED: Final = sql.SQL("""
    select max(attnum)::integer from pg_attribute where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))
""")
_LOCK: Final = sql.SQL("select pg_advisory_xact_lock(hashtext('ferryman tables'))")
# Who waits for a lock has everybody behind it wait too: an open report must not become an outage.
_SHORT: Final = sql.SQL("set local lock_timeout = '3s'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is at the target."""

    name: sql.Identifier
    columns: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """What a table is for."""

    environment_id: str
    integration_name: str
    resource: str
    tenant_id: str
    """Empty where one table holds all tenants."""


class Tables:
    """The tables of one destination; what was looked at is known for as long as this lives."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[TablePlace, Table] = {}

    def place_of(self, integration_name: str, resource: str, tenant_id: str) -> TablePlace:
        """Return where the records of a tenant's resource go."""
        return TablePlace(
            environment_id=self._target.environment_id,
            integration_name=integration_name,
            resource=resource,
            tenant_id=tenant_id if self._target.layout is Layout.TENANT else "",
        )

    def ensure_notes(self, connection: Connection) -> None:
        """Make the tables for Ferryman's notes, where they are not there yet."""
        with connection.transaction():
            if _ask(connection, _HAS_NOTES):
                return
            connection.execute(_SHORT)
            connection.execute(_LOCK)
            self._ensure_schema(connection, CONTROL)
            for statement in _NOTES:
                connection.execute(statement)

    def ensure(self, connection: Connection, place: TablePlace, schema: ResourceSchema, epoch: int) -> Table:
        """Return a table, which is made or widened, with all columns of a schema that it has room for.

        Raise DestinationError.
        """
        columns = list(schema.list_shown())
        known = self._known.get(place)
        if known is None or not {column.name for column in columns} <= known.columns:
            with connection.transaction():
                connection.execute(_SHORT)
                known = self._known[place] = self._ensure(connection, place, columns, epoch)
        return known

    def known(self, place: TablePlace) -> Table:
        """Return a table that ``ensure`` has returned."""
        return self._known[place]

    def find_all(self, connection: Connection, tenant_id: str, resource: str) -> list[sql.Identifier]:
        """Return the names of the tables that hold a tenant's records of a resource, whatever brought them."""
        kept_apart = tenant_id if self._target.layout is Layout.TENANT else ""
        found = connection.execute(_FIND_ALL, (self._target.environment_id, resource, kept_apart))
        return [sql.Identifier(*names) for names in found]

    def _ensure(self, connection: Connection, place: TablePlace, columns: Sequence[Column], epoch: int) -> Table:
        found = connection.execute(_FIND, _values(place)).fetchone()
        if found is None:
            connection.execute(_LOCK)
            found = connection.execute(_FIND, _values(place)).fetchone() or self._note(connection, place)
        schema_name, table_name, mode, is_made, made_epoch = found
        name = sql.Identifier(schema_name, table_name)
        if mode != self._target.mode.value:
            message = f"table {schema_name}.{table_name} is written in the mode '{mode}' by another destination"
            raise DestinationError(message, code="other_mode", is_final=True)
        present = _list_columns(connection, schema_name, table_name)
        if not present:
            if is_made and epoch <= made_epoch:
                message = f"table {schema_name}.{table_name} was removed: a backfill makes and fills it again"
                raise DestinationError(message, code="table_gone", is_final=True)
            connection.execute(_LOCK)
            self._ensure_schema(connection, schema_name)
            connection.execute(_build_table(name, self._target.mode))
            connection.execute(_MADE, (epoch, schema_name, table_name))
            present = _list_columns(connection, schema_name, table_name)
        missing = [column for column in columns if column.name not in present]
        # Those that were dropped count too.
        if missing and (added := missing[: max(0, MOST_COLUMNS - _ask(connection, _USED, (schema_name, table_name)))]):
            connection.execute(_build_addition(name, added))
            present |= {column.name for column in added}
        return Table(name=name, columns=present)

    def _note(self, connection: Connection, place: TablePlace) -> tuple[Any, ...]:
        """Choose the name of a new table, beside those that are there."""
        chosen = self._target.options.get("schema")
        tail = f"__{place.tenant_id}" if place.tenant_id else ""
        schema_name = fold_name(f"{chosen or place.integration_name}{tail}")
        wished = fold_name(f"{place.integration_name}_{place.resource}" if chosen else place.resource)
        if self._is_foreign_tenant(connection, schema_name, place):
            schema_name = make_unique(schema_name, self._list_schemas(connection))
        taken = {row[0] for row in connection.execute(_TAKEN, {"schema": schema_name})}
        table_name = make_unique(wished, taken)
        connection.execute(_NOTE, (*_values(place), schema_name, table_name, self._target.mode.value))
        return schema_name, table_name, self._target.mode.value, False, 0

    def _is_foreign_tenant(self, connection: Connection, schema_name: str, place: TablePlace) -> bool:
        """Whether a schema holds the tables of another tenant, whose id folds to the same name."""
        if not place.tenant_id:
            return False
        statement = sql.SQL(
            "select exists (select from ferryman._ferryman_table where schema_name = %s and tenant_id <> %s)"
        )
        return bool(_ask(connection, statement, (schema_name, place.tenant_id)))

    def _list_schemas(self, connection: Connection) -> set[str]:
        return {row[0] for row in connection.execute("select nspname from pg_namespace")}

    def _ensure_schema(self, connection: Connection, name: str) -> None:
        # "if not exists" asks for the right to create one even where it is there.
        if not _ask(connection, _HAS_SCHEMA, (name,)):
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))


def _build_table(name: sql.Identifier, mode: WriteMode) -> sql.Composed:
    key = "account_id, remote_id" if mode is WriteMode.MERGE else "account_id, remote_id, sequence"
    return sql.SQL("""
        create table {} (
            account_id uuid not null, tenant_id text not null, remote_id text not null, sequence bigint not null,
            synced_at timestamptz not null, deleted_at timestamptz, primary key ({}))
    """).format(name, sql.SQL(key))


def _build_addition(name: sql.Identifier, columns: Sequence[Column]) -> sql.Composed:
    """Build the statement that adds columns; without defaults it rewrites nothing, however large the table is."""
    added = [
        sql.SQL("add column if not exists {} {}").format(sql.Identifier(column.name), sql.SQL(column.type.value))
        for column in columns
    ]
    return sql.SQL("alter table {} {}").format(name, sql.SQL(", ").join(added))


def _list_columns(connection: Connection, schema_name: str, table_name: str) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(_COLUMNS, (schema_name, table_name)))


def _values(place: TablePlace) -> tuple[str, ...]:
    return place.environment_id, place.integration_name, place.resource, place.tenant_id


def _ask(connection: Connection, statement: sql.SQL, values: tuple[object, ...] = ()) -> Any:
    row = connection.cursor(row_factory=tuple_row).execute(statement, values).fetchone()
    assert row is not None
    return row[0]
