"""The audit log, page by page; migration 0031 has the triggers that write it."""

from sqlalchemy import Engine

from app.engine.objects.audit import AuditEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import build_object

_TABLE = tables.audit_entry


@retry_conflicts
class AuditReader:
    """The entries of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, environment_id: EnvironmentId, id: str) -> AuditEntry | None:
        """Read one entry."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return _entry(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[AuditEntry]:
        """Read a page of entries."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _entry, filters)


def _entry(row: Row) -> AuditEntry:
    return build_object(AuditEntry, row)
