"""The refusal to undo a migration that only a backup undoes."""

from typing import NoReturn

from app.engine.errors import IrreversibleMigrationError


def restore_a_backup(revision: str) -> NoReturn:
    """Refuse to undo a migration after which the version before can not read what was written."""
    raise IrreversibleMigrationError(f"migration {revision} can not be undone: restore a backup from before it")
