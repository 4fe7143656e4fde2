"""Sync jobs: what to pull, described once and checked whole."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.jobs import args, definition, run_keys
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.unified.mappings import UnifiedMappings

_DEFAULTS: JsonObject = {"label": "Untitled", "args_schema": {}, "resources": [], "default_runtime_version": 3}


class JobStore(Protocol):
    """Keeps sync jobs."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON]) -> SyncJob:
        """Write a new job."""

    def get(self, environment_id: EnvironmentId, job_id: str) -> SyncJob | None:
        """Read one job."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJob]:
        """Read a page of jobs."""

    def update(
        self, environment_id: EnvironmentId, job_id: str, values: Mapping[str, JSON], *, seen: RowVersion | None = None
    ) -> SyncJob | None:
        """Change some fields of a job."""

    def delete(self, environment_id: EnvironmentId, job_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a job; tell whether there was one."""


class IntegrationNames(Protocol):
    """Finds integrations by name."""

    def by_name(self, environment_id: EnvironmentId, name: str) -> Integration | None:
        """Read one integration."""


class JobService:
    """Sync jobs as the API's callers see them."""

    def __init__(self, jobs: JobStore, integrations: IntegrationNames, unified: UnifiedMappings) -> None:
        self._unified = unified
        self._jobs = jobs
        self._integrations = integrations

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> SyncJob:
        """Make a job; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        self._check(environment_id, fields, faults)
        return self._jobs.create(environment_id, new_id(), {**_DEFAULTS, **fields})

    def get(self, environment_id: EnvironmentId, job_id: str) -> SyncJob:
        """Read one job; raise NotFoundError."""
        return _found(self._jobs.get(environment_id, job_id), job_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJob]:
        """Read a page of jobs."""
        return self._jobs.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        job_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> SyncJob:
        """Change some fields; runs that exist keep the job as it was. Raises as ``create`` and ``get`` do."""
        self.get(environment_id, job_id)
        self._check(environment_id, changes, faults)
        return _found(self._jobs.update(environment_id, job_id, changes, seen=seen), job_id)

    def delete(self, environment_id: EnvironmentId, job_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a job; its runs stay. Raises NotFoundError."""
        if not self._jobs.delete(environment_id, job_id, seen=seen):
            raise NotFoundError("sync job", job_id)
        return job_id

    def check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        """Raise InvalidInputError with ``faults`` and every other one of a job's fields."""
        self._check(environment_id, fields, faults)

    def _check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        failures = [*faults, *self._integration_failures(environment_id, fields.get("integration_name"))]
        if "args_schema" in fields:
            failures += args.check_schema(fields["args_schema"])
        failures += args.check_rule(fields.get("args_validation"))
        for key in (run_keys.MUTEX_KEY, run_keys.STATE_KEY):
            failures += run_keys.check_template(key, fields.get(key))
        if "resources" in fields:
            items, item_failures = definition.parse_resources(fields["resources"])
            failures += item_failures or self._unified.model_failures(environment_id, items)
        if failures:
            raise InvalidInputError(failures)

    def _integration_failures(self, environment_id: EnvironmentId, name: str | None) -> Sequence[Failure]:
        if name is None or self._integrations.by_name(environment_id, name):
            return []
        return [Failure("integration_name", f"integration '{name}' does not exist", missing_reference=True)]


def _found(job: SyncJob | None, job_id: str) -> SyncJob:
    if job is None:
        raise NotFoundError("sync job", job_id)
    return job
