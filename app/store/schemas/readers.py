"""The role of each environment that may read its views, and nothing else."""

from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.engine.schemas.names import fold_name
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.schemas.statements import run

_FIND: Final = text("""
    select e.name as environment, current_database() as database, r.role, r.error is null as is_well,
           exists (select from pg_roles where rolname = r.role) as is_there
      from environment e left join environment_reader r on r.environment_id = e.id where e.id = :environment_id
""")
_EXISTS: Final = text("select exists (select from pg_roles where rolname = :role)")
_IS_MEMBER: Final = text("select pg_has_role(current_user, :role, 'member')")
_NOTE: Final = text("""
    insert into environment_reader (environment_id, role, error) values (:environment_id, :role, :error)
        on conflict (environment_id) do update set role = excluded.role, error = excluded.error, updated_at = now()
""")
_LACKS_RIGHT: Final = (
    "there is no role '{role}' to read views with, and Ferryman's may not make it: grant it CREATEROLE, or create the"
    " role and grant it to Ferryman's"
)


@retry_conflicts
class EnvironmentReaders:
    """The reader roles of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ensure(self, environment_id: str) -> str | None:
        """Return an environment's role, which is made unless it is there; None where that can not be done.

        Its name has the database's in front: roles belong to the whole server.
        """
        with reading(self._engine) as connection:
            found = connection.execute(_FIND, {"environment_id": environment_id}).one()
        if found.is_there and found.is_well:
            return str(found.role)
        role = found.role or fold_name(f"{found.database}_{found.environment}_reader")
        error = self._make(role)
        with self._engine.begin() as connection:
            connection.execute(_NOTE, {"environment_id": environment_id, "role": role, "error": error})
        return role if error is None else None

    def _make(self, role: str) -> str | None:
        """Make a role that nobody signs in as; return why that can not be done."""
        try:
            with self._engine.begin() as connection:
                _create(connection, role)
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                raise
            return _LACKS_RIGHT.format(role=role)
        return None


def _create(connection: Connection, role: str) -> None:
    name = sql.Identifier(role)
    if not connection.execute(_EXISTS, {"role": role}).scalar_one():
        run(connection, sql.SQL("create role {} nologin").format(name))
    # Whoever asks by `ferryman sql` becomes it for a transaction.
    if not connection.execute(_IS_MEMBER, {"role": role}).scalar_one():
        run(connection, sql.SQL("grant {} to current_user").format(name))
