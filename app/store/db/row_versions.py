"""The version of a row that a caller has seen, so that a write can apply to that version alone.

Postgres keeps with each row which transaction has written it. A write that has waited for another one's commit compares
again: a change between a read and a write that names the version read is never overwritten.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Table, literal_column, select, true

from app.engine.errors import PreconditionFailedError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import reading

_TABLES: Final[Mapping[str, Table]] = {
    "sync job": tables.sync_job,
    "sync job run": tables.sync_job_run,
    "sync job cron trigger": tables.sync_job_cron_trigger,
    "sync job run state": tables.sync_job_run_state,
    "sync job template": tables.sync_job_template,
    "integration": tables.integration,
    "environment integration": tables.environment_integration,
    "integrated account": tables.integrated_account,
    "webhook": tables.webhook,
    "unified model": tables.unified_model,
    "environment unified model": tables.environment_unified_model,
    "unified model resource method": tables.unified_model_method,
    "environment unified model resource method": tables.unified_model_method,
    "api token": tables.api_token,
    "environment": tables.environment,
    "tenant": tables.tenant,
    "datastore": tables.datastore,
    "destination": tables.destination,
    "schema": tables.resource_schema,
    "notification destination": tables.notification_destination,
    "notification rule": tables.notification_rule,
}


@retry_conflicts
class RowVersions:
    """The present versions of all that can be changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, kind: str, environment_id: EnvironmentId, place: Mapping[str, str]) -> RowVersion | None:
        """Return the version of the one thing of a kind that has these values; None when there is none."""
        table = _TABLES[kind]
        owner = table.c.id if table is tables.environment else table.c.environment_id
        statement = select(_version(table)).where(owner == environment_id)
        for name, value in place.items():
            statement = statement.where(table.c[name] == value)
        with reading(self._engine) as connection:
            found = connection.execute(statement).scalar_one_or_none()
        return RowVersion(found) if found is not None else None


def unchanged(table: Table, seen: RowVersion | None) -> ColumnElement[bool]:
    """Return the condition that a row is still what was seen; any row will do when nothing was."""
    return true() if seen is None else _version(table) == seen


def demand(is_done: bool, seen: RowVersion | None) -> None:
    """Raise PreconditionFailedError when a write for the seen version of a row found no such row."""
    if seen is not None and not is_done:
        raise PreconditionFailedError


def _version(table: Table) -> ColumnElement[Any]:
    return literal_column(f"cast({table.name}.xmin as text)")
