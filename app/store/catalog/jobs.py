"""Sync jobs in Postgres."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import build_object

_TABLE = tables.sync_job


@retry_conflicts
class JobStore:
    """The sync jobs of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> SyncJob:
        """Write a job."""
        return job_of(
            owned_rows.insert_row(self._engine, _TABLE, {**values, "id": id, "environment_id": environment_id})
        )

    def get(self, environment_id: EnvironmentId, job_id: str) -> SyncJob | None:
        """Read one job."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, job_id)
        return job_of(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJob]:
        """Read a page of jobs."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, job_of, filters)

    def update(
        self, environment_id: EnvironmentId, job_id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> SyncJob | None:
        """Change a job; runs that exist keep what they were created with."""
        row = owned_rows.update_row(self._engine, _TABLE, environment_id, job_id, values, seen=seen)
        return job_of(row) if row else None

    def delete(self, environment_id: EnvironmentId, job_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a job; its runs stay."""
        return owned_rows.delete_row(self._engine, _TABLE, environment_id, job_id, seen=seen)


def job_of(row: Row) -> SyncJob:
    """Read a job's row."""
    return build_object(SyncJob, row)
