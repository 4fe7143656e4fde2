"""Cron triggers as the API's callers see them: checked like the runs that they will make."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.jobs import cron
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.triggers import CronTrigger
from app.engine.status import ErrorHandling
from app.services.ports import Clock
from app.services.runs.drafts import RunDraft
from app.services.runs.requests import IdempotencyKey, RunRequest

_OF_RUNS: Final = ("args", "resources", "daemon_group_key", "webhook_id", "error_handling", "events_to_send")
"""What a trigger tells its runs, beside the job and the account."""
_FIXED: Final = ("sync_job_id", "integrated_account_id")
_DEFAULTS: Final[JsonObject] = {"timezone": "UTC", "args": {}, "enabled": False}


class TriggerStore(Protocol):
    """Keeps cron triggers."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON | datetime]) -> CronTrigger:
        """Write a new trigger."""

    def get(self, environment_id: EnvironmentId, trigger_id: str) -> CronTrigger | None:
        """Read one trigger."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[CronTrigger]:
        """Read a page of triggers."""

    def update(
        self,
        environment_id: EnvironmentId,
        trigger_id: str,
        values: Mapping[str, JSON | datetime],
        *,
        seen: RowVersion | None = None,
    ) -> CronTrigger | None:
        """Change some fields of a trigger."""

    def delete(self, environment_id: EnvironmentId, trigger_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a trigger; tell whether there was one."""


class Drafts(Protocol):
    """Tells whether a run could be made."""

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        """Make a draft; raise InvalidInputError with ``faults`` and every other one."""


class TriggerService:
    """Cron triggers of an environment."""

    def __init__(self, triggers: TriggerStore, drafts: Drafts, clock: Clock) -> None:
        self._triggers = triggers
        self._drafts = drafts
        self._clock = clock

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> CronTrigger:
        """Make a trigger, which sleeps until it is scheduled unless ``enabled`` is true.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        values = {**_DEFAULTS, **fields}
        failures = [*faults, *cron.check_cron(values.get("cron_expression"), values["timezone"])]
        self._check_run(environment_id, values, failures)
        return self._triggers.create(environment_id, new_id(), {**values, **self._schedule_of(values)})

    def get(self, environment_id: EnvironmentId, trigger_id: str) -> CronTrigger:
        """Read one trigger; raise NotFoundError."""
        return _found(self._triggers.get(environment_id, trigger_id), trigger_id)

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
        failures = [*faults, *_fixed_failures(current, changes)]
        failures += cron.check_cron(changes.get("cron_expression"), changes.get("timezone"))
        after = {**_values(current), **changes}
        if any(name in changes for name in _OF_RUNS):
            self._check_run(environment_id, after, failures)
        if failures:
            raise InvalidInputError(failures)
        values = {**changes, **self._rescheduled(current, changes, after)}
        return _found(self._triggers.update(environment_id, trigger_id, values, seen=seen), trigger_id)

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
        self._drafts.draft(environment_id, run_request(values), idempotency=None, faults=failures)

    def _rescheduled(
        self, current: CronTrigger, changes: JsonObject, after: JsonObject
    ) -> Mapping[str, JSON | datetime]:
        moved = any(changes.get(name, getattr(current, name)) != getattr(current, name) for name in _WHEN)
        if not moved and "enabled" not in changes:
            return {}
        return self._schedule_of({**after, "enabled": bool(changes.get("enabled"))})

    def _schedule_of(self, values: JsonObject) -> Mapping[str, JSON | datetime]:
        if not values["enabled"]:
            return {"enabled": False, "next_run_at": None}
        due = cron.find_next_due(values["cron_expression"], values["timezone"], self._clock.now())
        return {"enabled": True, "next_run_at": due}


_WHEN: Final = ("cron_expression", "timezone")


def run_request(values: JsonObject) -> RunRequest:
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
    return run_request(_values(trigger))


def _values(trigger: CronTrigger) -> JsonObject:
    return {name: getattr(trigger, name) for name in (*_FIXED, *_OF_RUNS, *_WHEN, "enabled")}


def _fixed_failures(current: CronTrigger, changes: JsonObject) -> list[Failure]:
    return [
        Failure(name, "can not be changed: create another trigger")
        for name in _FIXED
        if changes.get(name, getattr(current, name)) != getattr(current, name)
    ]


def _found(trigger: CronTrigger | None, trigger_id: str) -> CronTrigger:
    if trigger is None:
        raise NotFoundError("sync job cron trigger", trigger_id)
    return trigger
