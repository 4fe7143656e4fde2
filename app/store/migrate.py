"""Bring a database to the current schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.engine.errors import StoreOfLaterVersionError
from app.store.database import connect

_MIGRATIONS = Path(__file__).parent / "migrations"
# One migrator at a time; any constant that nothing else in this database uses.
_LOCK_KEY = 7_208_113_401


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply what is missing, in one transaction; a second caller waits for the first and finds nothing to do.

    Raises StoreOfLaterVersionError when there is more than this version knows.
    """
    engine = connect(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            _refuse_later_version(config, connection)
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def _refuse_later_version(config: Config, connection: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if later := set(MigrationContext.configure(connection).get_current_heads()) - known:
        raise StoreOfLaterVersionError(
            f"the database was migrated by a later version of Ferryman (revision {', '.join(sorted(later))}): "
            "use that version, or restore a backup from before"
        )
