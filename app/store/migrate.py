"""Bring a database to the current schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.store.database import connect

_MIGRATIONS = Path(__file__).parent / "migrations"
# One migrator at a time; any constant that nothing else in this database uses.
_LOCK_KEY = 7_208_113_401


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply what is missing, in one transaction; a second caller waits for the first and finds nothing to do."""
    engine = connect(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()
