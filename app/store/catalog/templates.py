"""Templates of sync jobs in Postgres."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import JobTemplate
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import build_object

_TABLE = tables.sync_job_template


@retry_conflicts
class TemplateStore:
    """The templates of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> JobTemplate:
        """Write a template."""
        owned = {**values, "id": id, "environment_id": environment_id}
        return _template(owned_rows.insert_row(self._engine, _TABLE, owned))

    def get(self, environment_id: EnvironmentId, template_id: str) -> JobTemplate | None:
        """Read one template."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, template_id)
        return _template(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[JobTemplate]:
        """Read a page of templates."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _template, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        template_id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
    ) -> JobTemplate | None:
        """Change a template."""
        row = owned_rows.update_row(self._engine, _TABLE, environment_id, template_id, values, seen=seen)
        return _template(row) if row else None

    def delete(self, environment_id: EnvironmentId, template_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a template."""
        return owned_rows.delete_row(self._engine, _TABLE, environment_id, template_id, seen=seen)


def _template(row: Row) -> JobTemplate:
    return build_object(JobTemplate, row)
