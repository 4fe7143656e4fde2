"""Templates of sync jobs: checked like jobs, and turned into them."""

from collections.abc import Sequence
from typing import Final

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import JobTemplate, SyncJob
from app.services.catalog.jobs import JobService
from app.services.crud import CrudService, Store

_DEFAULTS: Final[JsonObject] = {"args_schema": {}, "resources": [], "default_runtime_version": 3, "sharing": "deny"}
_OF_JOBS: Final = (
    "label",
    "integration_name",
    "args_schema",
    "args_validation",
    "resources",
    "default_runtime_version",
)


class TemplateService(CrudService[JobTemplate]):
    """The templates of environments; jobs that were created from one stay as they are."""

    KIND = "sync job template"

    def __init__(self, templates: Store[JobTemplate], jobs: JobService) -> None:
        super().__init__(templates)
        self._jobs = jobs

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> JobTemplate:
        """Create a template; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        self._check(environment_id, fields, faults)
        return self._store.create(environment_id, new_id(), {**_DEFAULTS, **fields})

    def _check_changes(
        self, environment_id: EnvironmentId, current: JobTemplate, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        self._check(environment_id, changes, faults)
        return changes

    def create_job(
        self, environment_id: EnvironmentId, id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> SyncJob:
        """Create a job that begins as the template and differs in ``changes``. Raises as ``create`` and ``get`` do."""
        template = self.get(environment_id, id)
        fields = {**{name: getattr(template, name) for name in _OF_JOBS}, **changes}
        if fields["integration_name"] is None:
            faults = [*faults, Failure("integration_name", "is required: the template names none")]
        return self._jobs.create(environment_id, fields, faults)

    def _check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        # Its integration may be created later, or differ from job to job.
        checked = {name: value for name, value in fields.items() if name != "integration_name"}
        self._jobs.check(environment_id, checked, faults)
