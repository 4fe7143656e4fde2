"""Cron triggers as the API's callers see them: checked like the runs that they will make."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.jobs import cron
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.triggers import CronTrigger
from app.engine.status import ErrorHandling
from app.services.ports import Clock
from app.services.runs.requests import RunRequest
from app.services.schedules.ports import RunDraftMaker, TriggerStore

_OF_RUNS: Final = ("args", "resources", "daemon_group_key", "webhook_id", "error_handling", "events_to_send")
"""What a trigger's runs get of it, beside the job and the account."""
_FIXED: Final = ("sync_job_id", "integrated_account_id")
_DEFAULTS: Final[JsonObject] = {"timezone": "UTC", "args": {}, "enabled": False}


class TriggerService:
    """Cron triggers of an environment."""

    def __init__(self, triggers: TriggerStore, drafts: RunDraftMaker, clock: Clock) -> None:
        self._triggers = triggers
        self._drafts = drafts
        self._clock = clock

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> CronTrigger:
        """Create a trigger, which sleeps until it is scheduled unless ``enabled`` is true.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        values = {**_DEFAULTS, **fields}
        failures = [*faults, *cron.check_cron(values.get("cron_expression"), values["timezone"])]
        self._check_run(environment_id, values, failures)
        return self._triggers.create(environment_id, new_id(), {**values, **self._schedule(values)})

    def get(self, environment_id: EnvironmentId, trigger_id: str) -> CronTrigger:
        """Read one trigger; raise NotFoundError."""
        return _require(self._triggers.get(environment_id, trigger_id), trigger_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[CronTrigger]:
        """Read a page of triggers."""
        return self._triggers.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        trigger_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> CronTrigger:
        """Change some fields; one whose time changes sleeps until it is scheduled anew, unless ``enabled`` is sent.

        Raises as ``create`` and ``get`` do.
        """
        current = self.get(environment_id, trigger_id)
        failures = [*faults, *_find_fixed_failures(current, changes)]
        failures += cron.check_cron(changes.get("cron_expression"), changes.get("timezone"))
        after = {**_read_values(current), **changes}
        if any(name in changes for name in _OF_RUNS):
            self._check_run(environment_id, after, failures)
        if failures:
            raise InvalidInputError(failures)
        values = {**changes, **self._reschedule(current, changes, after)}
        return _require(self._triggers.update(environment_id, trigger_id, values, seen=seen), trigger_id)

    def schedule(self, environment_id: EnvironmentId, trigger_id: str) -> CronTrigger:
        """Wake a trigger: from now on it makes a run at each due time. Raises NotFoundError."""
        return self.update(environment_id, trigger_id, {"enabled": True})

    def delete(self, environment_id: EnvironmentId, trigger_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a trigger; its runs stay. Raises NotFoundError."""
        if not self._triggers.delete(environment_id, trigger_id, seen=seen):
            raise NotFoundError("sync job cron trigger", trigger_id)
        return trigger_id

    def _check_run(self, environment_id: EnvironmentId, values: JsonObject, failures: Sequence[Failure]) -> None:
        """Raise InvalidInputError with the failures, and with those of the run that would be made."""
        self._drafts.draft(environment_id, build_run_request(values), idempotency=None, faults=failures)

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


def _require(trigger: CronTrigger | None, trigger_id: str) -> CronTrigger:
    if trigger is None:
        raise NotFoundError("sync job cron trigger", trigger_id)
    return trigger
