"""Cron triggers as the API's callers see them: checked like the runs that they will make."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.jobs import cron
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.triggers import CronTrigger
from app.engine.status import ErrorHandling
from app.services.crud import CrudService, Store, raise_for_failures
from app.services.ports import Clock
from app.services.runs.requests import RunDraft, RunRequest

_OF_RUNS: Final = ("args", "resources", "daemon_group_key", "webhook_id", "error_handling", "events_to_send")
"""What a trigger's runs get of it, beside the job and the account."""
_FIXED: Final = ("sync_job_id", "integrated_account_id")
_DEFAULTS: Final[JsonObject] = {"timezone": "UTC", "args": {}, "enabled": False}


class TriggerService(CrudService[CronTrigger]):
    """Cron triggers of an environment; the runs of one that is removed stay."""

    KIND = "sync job cron trigger"

    def __init__(self, triggers: Store[CronTrigger], draft: Callable[..., RunDraft], clock: Clock) -> None:
        """``draft`` makes the draft of a run; it raises InvalidInputError with the faults given and every other one."""
        super().__init__(triggers)
        self._draft = draft
        self._clock = clock

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> CronTrigger:
        """Create a trigger, which sleeps until it is scheduled unless ``enabled`` is true.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        values = {**_DEFAULTS, **fields}
        failures = [*faults, *cron.check_cron(values.get("cron_expression"), values["timezone"])]
        self._check_run(environment_id, values, failures)
        return self._store.create(environment_id, new_id(), {**values, **self._schedule(values)})

    def _check_changes(
        self, environment_id: EnvironmentId, current: CronTrigger, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Return the values to write; one whose time changes sleeps until it is scheduled anew, or is ``enabled``."""
        failures = [*faults, *_find_fixed_failures(current, changes)]
        failures += cron.check_cron(changes.get("cron_expression"), changes.get("timezone"))
        after = {**_read_values(current), **changes}
        if any(name in changes for name in _OF_RUNS):
            self._check_run(environment_id, after, failures)
        raise_for_failures(failures)
        return {**changes, **self._reschedule(current, changes, after)}

    def schedule(self, environment_id: EnvironmentId, trigger_id: str) -> CronTrigger:
        """Wake a trigger: from now on it makes a run at each due time. Raises NotFoundError."""
        return self.update(environment_id, trigger_id, {"enabled": True})

    def _check_run(self, environment_id: EnvironmentId, values: JsonObject, failures: Sequence[Failure]) -> None:
        """Raise InvalidInputError with the failures, and with those of the run that would be made."""
        self._draft(environment_id, build_run_request(values), idempotency=None, faults=failures)

    def _reschedule(
        self, current: CronTrigger, changes: JsonObject, after: JsonObject
    ) -> Mapping[str, JSON | datetime]:
        moved = any(changes.get(name, getattr(current, name)) != getattr(current, name) for name in _WHEN)
        if not moved and "enabled" not in changes:
            return {}
        return self._schedule({**after, "enabled": bool(changes.get("enabled"))})

    def _schedule(self, values: JsonObject) -> Mapping[str, JSON | datetime]:
        if not values["enabled"]:
            return {"enabled": False, "next_run_at": None}
        due = cron.find_next_due(values["cron_expression"], values["timezone"], self._clock.now())
        return {"enabled": True, "next_run_at": due}


_WHEN: Final = ("cron_expression", "timezone")


def build_run_request(values: JsonObject) -> RunRequest:
    """Return the request for a run that a trigger's fields stand for."""
    return RunRequest(
        sync_job_id=values.get("sync_job_id", ""),
        integrated_account_id=values.get("integrated_account_id", ""),
        args=values["args"],
        resources=values.get("resources"),
        daemon_group_key=values.get("daemon_group_key"),
        webhook_id=values.get("webhook_id"),
        events_to_send=values.get("events_to_send"),
        error_handling=ErrorHandling(values.get("error_handling") or ErrorHandling.IGNORE),
    )


def request_of(trigger: CronTrigger) -> RunRequest:
    """Return the request for the run that a trigger makes."""
    return build_run_request(_read_values(trigger))


def _read_values(trigger: CronTrigger) -> JsonObject:
    return {name: getattr(trigger, name) for name in (*_FIXED, *_OF_RUNS, *_WHEN, "enabled")}


def _find_fixed_failures(current: CronTrigger, changes: JsonObject) -> list[Failure]:
    return [
        Failure(name, "can not be changed: create another trigger")
        for name in _FIXED
        if changes.get(name, getattr(current, name)) != getattr(current, name)
    ]
