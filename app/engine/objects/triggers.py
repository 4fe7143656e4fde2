"""A sync job's cron trigger, as it is stored and shown (docs/wire.md A4)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId

BEGUN: Final = "was begun by a daemon that has not come to an end with it"
"""The error of a ``last_run`` until its outcome is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """Creates a run of a sync job whenever its cron expression is due."""

    id: str
    environment_id: EnvironmentId
    sync_job_id: str
    integrated_account_id: str
    cron_expression: str
    timezone: str = "UTC"
    args: JsonObject = field(default_factory=dict)
    resources: list[JsonObject] | None = None
    """Replaces the job's resources for its runs."""
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: str | None = None
    events_to_send: list[str] | None = None
    meta: JsonObject | None = None
    enabled: bool = False
    next_run_at: datetime | None = None
    """None while it is not enabled."""
    last_run: JsonObject | None = None
    """``{due_at, fired_at, sync_job_run_id, error}`` of its last due time."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTrigger:
    """A trigger that is due."""

    trigger: CronTrigger
    due_at: datetime
    stands_at: datetime
    """The due time that its row holds: another one once a daemon has begun to create its run."""
    now: datetime
    """The database's clock when it was found."""
    attempt_key: str
    """Names the trigger as it is, with all that it refers to: what failed is skipped until one of them changes."""

    @property
    def is_second_try(self) -> bool:
        """Whether a daemon has begun this due time before, and has not finished it."""
        return was_begun(self.trigger.last_run)


def was_begun(last_run: JsonObject | None) -> bool:
    """Whether the last due time was begun, and has no outcome yet."""
    return isinstance(last_run, dict) and last_run.get("error") == BEGUN


def read_begun_time(last_run: JsonObject | None) -> datetime | None:
    """Return the due time that was begun, and has no outcome yet; None where there is none."""
    match last_run:
        case {"error": error, "due_at": str(due_at)} if error == BEGUN:
            try:
                return datetime.fromisoformat(due_at)
            except ValueError:
                return None
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOccurrence:
    """The outcome of one due time of a trigger."""

    id: str
    environment_id: EnvironmentId
    sync_job_cron_trigger_id: str
    due_at: datetime
    sync_job_run_id: str | None
    error: str | None
    """Why it created no run."""
    created_at: datetime
