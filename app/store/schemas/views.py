"""The views over records: made and extended beside those who read them, and never anything of others.

A view is in a schema of its integration, under its resource's name: chosen once and kept for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.engine.errors import StoreUnavailableError
from app.engine.objects.environments import DEFAULT_ENVIRONMENT
from app.engine.schemas.columns import SYSTEM_COLUMNS, ResourceSchema
from app.engine.schemas.names import LONGEST_NAME, fold_name, make_unique
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row, reading
from app.store.schemas.readers import EnvironmentReaders
from app.store.schemas.schemas import build_schema
from app.store.schemas.statements import run
from app.store.schemas.view_sql import build_view, list_view_columns, write_schema_comment, write_view_comment

_LOCK_KEY: Final = 7_208_113_422
_LOCK: Final = text("select pg_advisory_xact_lock(:key)")
_TAKEN: Final = text("""
    select view_schema, view_name, environment_id = :environment_id and integration_name = :integration_name as is_own
      from resource_schema where view_schema is not null
""")
_KEEP: Final = text("update resource_schema set view_schema = :schema, view_name = :name where id = :id")
_SCHEMA: Final = text("""
    select obj_description(n.oid, 'pg_namespace') as comment,
           pg_get_userbyid(n.nspowner) = current_user
           and not exists (select from pg_class where relnamespace = n.oid) as is_free
      from pg_namespace n where n.nspname = :schema
""")
_MAY_CREATE: Final = text("""
    select has_database_privilege(current_user, current_database(), 'create') as may_create,
           current_user as role, current_database() as database
""")
# Postgres' own, and where Ferryman's tables may be.
_RESERVED_SCHEMAS: Final = ("public", "information_schema", "ferryman")


class PlaceTakenError(Exception):
    """Something of others is where a view would be, or Ferryman may not make it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A view's schema and name."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """What names it in SQL."""
        return sql.Identifier(self.schema, self.name)


def choose(connection: Connection, row: Row) -> Place:
    """Return where the view of a schema's row is; a new one's place is written to it."""
    if row["view_name"] is not None:
        return Place(schema=row["view_schema"], name=row["view_name"])
    connection.execute(_LOCK, {"key": _LOCK_KEY})
    values = {"environment_id": row["environment_id"], "integration_name": row["integration_name"]}
    taken = connection.execute(_TAKEN, values).all()
    schema = next((one.view_schema for one in taken if one.is_own), None)
    if schema is None:
        schema = make_unique(_name_schema(row), {one.view_schema for one in taken})
    name = make_unique(fold_name(row["resource"]), {one.view_name for one in taken if one.view_schema == schema})
    connection.execute(_KEEP, {"id": row["id"], "schema": schema, "name": name})
    return Place(schema=schema, name=name)


def ensure(connection: Connection, place: Place, schema: ResourceSchema) -> None:
    """Make the schema of a view unless it is there; raise PlaceTakenError where that can not be done."""
    comment = write_schema_comment(schema)
    found = connection.execute(_SCHEMA, {"schema": place.schema}).one_or_none()
    if found is not None and found.comment == comment:
        return
    right = connection.execute(_MAY_CREATE).one()
    if found is not None and not found.is_free:
        raise PlaceTakenError(
            f"schema {place.schema} is not Ferryman's and is left as it is: rename it, and the views are made"
        )
    if found is None and not right.may_create:
        raise PlaceTakenError(
            f"role '{right.role}' may not create schema {place.schema}: grant it CREATE on database"
            f" '{right.database}', or create the schema with AUTHORIZATION \"{right.role}\""
        )
    name = sql.Identifier(place.schema)
    if found is None:
        run(connection, sql.SQL("create schema {}").format(name))
    run(connection, sql.SQL("comment on schema {} is {}").format(name, sql.Literal(comment)))


def _name_schema(row: Row) -> str:
    """Return the integration's name, behind its environment's where that is not the default one."""
    environment, integration = row["environment_name"], row["integration_name"]
    is_default = environment == DEFAULT_ENVIRONMENT
    name = fold_name(integration if is_default else f"{fold_name(environment)}__{integration}")
    is_reserved = name in (*_RESERVED_SCHEMAS, row["own"]) or name.startswith("pg_")
    return f"_{name[: LONGEST_NAME - 1]}" if is_reserved else name


_LOCK_TIMEOUT: Final = text("set local lock_timeout = '200ms'")
"""Who reads a view may do so for hours, and others would wait behind a lock that waits."""

# Postgres looks at a table by itself after 50 changes. Of one that it has never looked at it expects a single row, and
# so joins two views by comparing each record of one with each of the other.
_ANALYZE: Final = text("analyze integrated_account, integration")

# What could not be done is tried again, and a view that somebody has dropped is made again.
_OUTDATED: Final = text("""
    select s.id from resource_schema s left join environment_reader r on r.environment_id = s.environment_id
     where s.id <> all(cast(:skipped as uuid[]))
           and (s.view_version < s.version
                or (s.view_at < now() - interval '60 seconds'
                    and (s.view_error is not null or r.error is not null
                         or to_regclass(format('%I.%I', s.view_schema, s.view_name)) is null)))
     order by s.view_at nulls first, s.id limit :limit
""")
_READ: Final = text("""
    select s.*, e.name as environment_name,
           (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.oid = 'record'::regclass) as own
      from resource_schema s join environment e on e.id = s.environment_id where s.id = :id
""")
_VIEW: Final = text("""
    select c.relkind::text as kind, obj_description(c.oid, 'pg_class') as comment,
           array(select attname::text from pg_attribute
                  where attrelid = c.oid and attnum > 0 and not attisdropped order by attnum) as names
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = :schema and c.relname = :name
""")
_IS_GRANTED: Final = text("""
    select has_schema_privilege(:role, :schema, 'usage')
           and has_table_privilege(:role, format('%I.%I', cast(:schema as text), cast(:name as text)), 'select')
""")
_NOTE_MADE: Final = text("""
    update resource_schema set view_version = :version, view_error = null, view_at = now() where id = :id
""")
_NOTE_REFUSED: Final = text("""
    update resource_schema set view_version = version, view_error = :error, view_at = now() where id = :id
""")


@retry_conflicts
class ViewStore:
    """The views of all environments."""

    def __init__(self, engine: Engine, readers: EnvironmentReaders) -> None:
        self._engine = engine
        self._readers = readers

    def list_outdated(self, *, skipped: Sequence[str], limit: int) -> Sequence[str]:
        """List the ids of schemas whose view does not show all of their columns."""
        with reading(self._engine) as connection:
            found = connection.execute(_OUTDATED, {"skipped": list(skipped), "limit": limit}).scalars()
            return [str(id) for id in found]

    def update(self, schema_id: str) -> bool:
        """Make a schema's view show all of its columns, or record why it can not.

        Return False when others are at work on it: it is to be tried again.
        """
        try:
            self._make(schema_id)
        except StoreUnavailableError as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                return False
            raise
        except PlaceTakenError as error:
            self._note_refused(schema_id, str(error))
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.ProgrammingError):
                raise
            self._note_refused(schema_id, f"Postgres refuses the view: {error.orig.diag.message_primary}")
        return True

    def _make(self, schema_id: str) -> None:
        with reading(self._engine) as connection:
            environment_id = connection.execute(_READ, {"id": schema_id}).mappings().one()["environment_id"]
        role = self._readers.ensure(str(environment_id))
        with self._engine.begin() as connection:
            connection.execute(_LOCK_TIMEOUT)
            row = connection.execute(_READ, {"id": schema_id}).mappings().one()
            schema = build_schema(row)
            place = choose(connection, row)
            ensure(connection, place, schema)
            is_new = _extend(connection, place, schema, own=row["own"])
            if role is not None:
                _grant(connection, place, role)
            connection.execute(_NOTE_MADE, {"id": schema_id, "version": row["version"]})
        if is_new:
            with reading(self._engine) as connection:
                connection.execute(_ANALYZE)

    def _note_refused(self, schema_id: str, error: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(_NOTE_REFUSED, {"id": schema_id, "error": error})


def _extend(connection: Connection, place: Place, schema: ResourceSchema, *, own: str) -> bool:
    """Make or extend a view where that is needed; return whether it is new."""
    comment = write_view_comment(schema)
    view = connection.execute(_VIEW, {"schema": place.schema, "name": place.name}).one_or_none()
    if view is not None and (view.kind != "v" or view.comment != comment):
        raise PlaceTakenError(
            f"{place.schema}.{place.name} is not Ferryman's and is left as it is: rename it, and the view is made"
        )
    shown: list[Any] = [] if view is None else view.names[len(SYSTEM_COLUMNS) :]
    columns = list_view_columns(schema, shown)
    if view is not None and len(columns) == len(shown):
        return False
    run(connection, build_view(schema, place.identifier, columns, own=own))
    if view is None:
        run(connection, sql.SQL("comment on view {} is {}").format(place.identifier, sql.Literal(comment)))
    return view is None


def _grant(connection: Connection, place: Place, role: str) -> None:
    values = {"role": role, "schema": place.schema, "name": place.name}
    if connection.execute(_IS_GRANTED, values).scalar_one():
        return
    names = {"schema": sql.Identifier(place.schema), "view": place.identifier, "role": sql.Identifier(role)}
    run(connection, sql.SQL("grant usage on schema {schema} to {role}").format(**names))
    run(connection, sql.SQL("grant select on {view} to {role}").format(**names))
