"""Templates of sync jobs: checked like jobs, and turned into them."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from app.engine.errors import Failure, NotFoundError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import JobTemplate, SyncJob
from app.engine.objects.lists import ListFilters, Page, RowVersion

_DEFAULTS: Final[JsonObject] = {"args_schema": {}, "resources": [], "default_runtime_version": 3, "sharing": "deny"}
_OF_JOBS: Final = (
    "label",
    "integration_name",
    "args_schema",
    "args_validation",
    "resources",
    "default_runtime_version",
)


class TemplateStore(Protocol):
    """Keeps templates."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON]) -> JobTemplate:
        """Write a new template."""

    def get(self, environment_id: EnvironmentId, template_id: str) -> JobTemplate | None:
        """Read one template."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[JobTemplate]:
        """Read a page of templates."""

    def update(
        self,
        environment_id: EnvironmentId,
        template_id: str,
        values: Mapping[str, JSON],
        *,
        seen: RowVersion | None = None,
    ) -> JobTemplate | None:
        """Change some fields of a template."""

    def delete(self, environment_id: EnvironmentId, template_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a template; tell whether there was one."""


class Jobs(Protocol):
    """Makes sync jobs."""

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> SyncJob:
        """Make a job; raise InvalidInputError with ``faults`` and every other one."""

    def check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        """Raise InvalidInputError with ``faults`` and every other one of a job's fields."""


class TemplateService:
    """Templates of an environment."""

    def __init__(self, templates: TemplateStore, jobs: Jobs) -> None:
        self._templates = templates
        self._jobs = jobs

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> JobTemplate:
        """Make a template; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        self._check(environment_id, fields, faults)
        return self._templates.create(environment_id, new_id(), {**_DEFAULTS, **fields})

    def get(self, environment_id: EnvironmentId, template_id: str) -> JobTemplate:
        """Read one template; raise NotFoundError."""
        return _found(self._templates.get(environment_id, template_id), template_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[JobTemplate]:
        """Read a page of templates."""
        return self._templates.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        template_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> JobTemplate:
        """Change some fields; jobs that were made of it stay. Raises as ``create`` and ``get`` do."""
        self.get(environment_id, template_id)
        self._check(environment_id, changes, faults)
        return _found(self._templates.update(environment_id, template_id, changes, seen=seen), template_id)

    def delete(self, environment_id: EnvironmentId, template_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a template; jobs that were made of it stay. Raises NotFoundError."""
        if not self._templates.delete(environment_id, template_id, seen=seen):
            raise NotFoundError("sync job template", template_id)
        return template_id

    def make_job(
        self, environment_id: EnvironmentId, template_id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> SyncJob:
        """Make a job that begins as the template and differs in ``changes``. Raises as ``create`` and ``get`` do."""
        template = self.get(environment_id, template_id)
        fields = {**{name: getattr(template, name) for name in _OF_JOBS}, **changes}
        if fields["integration_name"] is None:
            faults = [*faults, Failure("integration_name", "is required: the template names none")]
        return self._jobs.create(environment_id, fields, faults)

    def _check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        # Its integration may come later, or be another for each job.
        checked = {name: value for name, value in fields.items() if name != "integration_name"}
        self._jobs.check(environment_id, checked, faults)


def _found(template: JobTemplate | None, template_id: str) -> JobTemplate:
    if template is None:
        raise NotFoundError("sync job template", template_id)
    return template
