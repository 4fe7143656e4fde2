"""Bring a database to the current schema, or back to an older one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.engine.errors import Failure, InvalidInputError, StoreOfLaterVersionError, StoreRightsError
from app.store import tables
from app.store.db.database import connect, connections_of, reading

_MIGRATIONS = Path(__file__).parents[1] / "migrations"
# One migrator at a time; any constant that nothing else in this database uses.
_LOCK_KEY = 7_208_113_401
_VALIDATE = text("""
    select format('alter table %s validate constraint %I', conrelid::regclass, conname) from pg_constraint
     where not convalidated and connamespace = current_schema()::regnamespace
           and (select relname from pg_class where oid = conrelid) = any(:tables) order by 1
""")


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply what is missing, in one transaction, then check rows against new constraints.

    A second caller waits for the first and finds nothing to do.

    Raises StoreOfLaterVersionError when there is more than this version knows, StoreRightsError when the database's
    role may not change it, and InvalidInputError for a row that a new constraint refuses: the schema is current then.
    """
    _migrate(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Undo what came after a revision, in one transaction.

    Raises IrreversibleMigrationError when some of it can not be undone, InvalidInputError when there is no such
    revision, and as ``upgrade`` does.
    """
    try:
        _migrate(database_url, lambda config: command.downgrade(config, revision))
    except CommandError as error:
        raise InvalidInputError([Failure("", f"there is no revision '{revision}' to go back to")]) from error


def find_newest_revision() -> str:
    """Return the revision that ``upgrade`` brings a database to."""
    return str(ScriptDirectory.from_config(_configure()).get_current_head())


def _configure() -> Config:
    config = Config()
    # A per cent sign begins what Alembic's file format replaces.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _migrate(database_url: str, apply: Callable[[Config], None]) -> None:
    engine = connect(database_url, pool_size=1)
    try:
        with _name_missing_rights(engine):
            with engine.begin() as connection:
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                config = _configure()
                config.attributes["connection"] = connection
                _refuse_later_version(config, connection)
                apply(config)
            _validate_constraints(engine)
    finally:
        engine.dispose()


def _validate_constraints(engine: Engine) -> None:
    """Check the rows of Ferryman's tables that were there before a constraint; others read and write meanwhile."""
    with reading(engine) as connection:
        for statement in connection.execute(_VALIDATE, {"tables": list(tables.metadata.tables)}).scalars().all():
            try:
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.errors.CheckViolation):
                    raise
                found = error.orig.diag
                message = f"has a row that constraint '{found.constraint_name}' refuses: correct it and migrate again"
                raise InvalidInputError([Failure(str(found.table_name), message)]) from error


@contextmanager
def _name_missing_rights(engine: Engine) -> Iterator[None]:
    """Say in one sentence what right the database's role lacks."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        user = connections_of(engine).arguments().get("user")
        role = f"role '{user}'" if user else "role of DATABASE_URL"
        raise StoreRightsError(
            f"the {role} may not migrate the database ({error.orig.diag.message_primary}): let the database's owner "
            "migrate it, or grant the role CREATE on its schema and make it the owner of Ferryman's tables"
        ) from error


def _refuse_later_version(config: Config, connection: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if later := set(MigrationContext.configure(connection).get_current_heads()) - known:
        raise StoreOfLaterVersionError(
            f"the database was migrated by a later version of Ferryman (revision {', '.join(sorted(later))}): "
            "use that version, or restore a backup from before"
        )
