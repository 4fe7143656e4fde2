"""Sync jobs: what to pull, described once and checked whole."""

from collections.abc import Sequence

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.jobs import args, definition, run_keys
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.services.crud import CrudService, FindIntegration, Store, missing_reference, raise_for_failures
from app.services.unified.mappings import UnifiedMappings

_DEFAULTS: JsonObject = {"label": "Untitled", "args_schema": {}, "resources": [], "default_runtime_version": 3}


class JobService(CrudService[SyncJob]):
    """The sync jobs of environments; runs keep the job as it was when they were created."""

    KIND = "sync job"

    def __init__(self, jobs: Store[SyncJob], find_integration: FindIntegration, unified: UnifiedMappings) -> None:
        super().__init__(jobs)
        self._find_integration = find_integration
        self._unified = unified

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> SyncJob:
        """Create a job; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        self.check(environment_id, fields, faults)
        return self._store.create(environment_id, new_id(), {**_DEFAULTS, **fields})

    def _check_changes(
        self, environment_id: EnvironmentId, current: SyncJob, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        self.check(environment_id, changes, faults)
        return changes

    def check(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]) -> None:
        """Raise InvalidInputError with ``faults`` and every other one of a job's fields."""
        failures = [*faults, *self._integration_failures(environment_id, fields.get("integration_name"))]
        if "args_schema" in fields:
            failures += args.check_schema(fields["args_schema"])
        failures += args.check_rule(fields.get("args_validation"))
        for key in (run_keys.MUTEX_KEY, run_keys.STATE_KEY):
            failures += run_keys.check_template(key, fields.get(key))
        if "resources" in fields:
            items, item_failures = definition.parse_resources(fields["resources"])
            failures += item_failures or self._unified.model_failures(environment_id, items)
        raise_for_failures(failures)

    def _integration_failures(self, environment_id: EnvironmentId, name: str | None) -> Sequence[Failure]:
        if name is None or self._find_integration(environment_id, name):
            return []
        return [missing_reference("integration_name", "integration", name)]
