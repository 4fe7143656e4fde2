"""Where a view is: in a schema of its integration's, under its resource's name; chosen once and kept for ever."""

from dataclasses import dataclass
from typing import Final

from psycopg import sql
from sqlalchemy import Connection, text

from app.engine.objects.environments import DEFAULT_ENVIRONMENT
from app.engine.schemas.columns import ResourceSchema
from app.engine.schemas.names import LONGEST_NAME, fold_name, make_unique
from app.store.db.database import Row
from app.store.schemas.statements import run
from app.store.schemas.view_sql import write_schema_comment

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
