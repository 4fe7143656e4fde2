"""A sync job's cron trigger, as it is stored and shown (wire.md A4)."""

from dataclasses import dataclass, field
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """Makes a run of a sync job whenever its cron expression is due."""

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
    """A trigger whose time has come."""

    trigger: CronTrigger
    due_at: datetime
    now: datetime
    """The database's clock when it was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """What became of one due time of a trigger."""

    id: str
    environment_id: EnvironmentId
    sync_job_cron_trigger_id: str
    due_at: datetime
    sync_job_run_id: str | None
    error: str | None
    """Why it made no run."""
    created_at: datetime
