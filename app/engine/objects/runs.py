"""Runs (docs/wire.md A3), their errors, and the states that are kept from one run to the next (docs/wire.md A5)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.status import ErrorHandling, RunStatus
from app.engine.times import format_utc

_SHOWN: Final = (
    *("id", "environment_id", "sync_job_id", "integrated_account_id", "status", "args", "resources", "daemon_id"),
    *("daemon_group_key", "webhook_id", "error_handling", "ignore_previous_run", "version", "previous_run_date"),
    *("upper_bound", "overlap_seconds", "resource_stats", "error", "mutex_key", "force", "state_key", "events_to_send"),
    *(
        "changes_only",
        "wait_for_destinations",
        "destinations",
        "waiting_on",
        "resumes",
        "retry_after",
        "created_at",
        "updated_at",
        "started_at",
        "finished_at",
    ),
    "sync_job",
)
"""The fields of a run in the API and in webhook events, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJobRun:
    """One run of a sync job (docs/wire.md A3)."""

    id: str
    environment_id: EnvironmentId
    sync_job_id: str
    integrated_account_id: str
    status: RunStatus
    args: JsonObject
    resources: list[JsonObject]
    """The items that this run works on: a snapshot of the job's at creation."""
    sync_job: JsonObject
    """The job as it was at creation, as the wire shows it (ids and times as strings)."""
    daemon_id: str | None = None
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    ignore_previous_run: bool = False
    version: int = 3
    previous_run_date: datetime | None = None
    """The earliest lower bound of its increments; that of each resource is in its stats."""
    upper_bound: datetime | None = None
    """The start of the run by the upstream's clock; None before its first answer, and when that has no Date."""
    overlap_seconds: int = 120
    resource_stats: JsonObject = field(default_factory=dict)
    """``{resource: {method: {fetched, persisted, errors, status, ...}}}``, derived from the run's resource rows."""
    error: JsonObject | None = None
    """``{code, message, resource, at}`` of the reason a run failed."""
    retry_after: datetime | None = None
    """When a rate-limited run continues."""
    mutex_key: str | None = None
    """Resolved: runs of one job with one key run one at a time."""
    force: bool = False
    """Starts in spite of its mutex."""
    state_key: str | None = None
    """Resolved: the namespace of its states."""
    events_to_send: list[str] | None = None
    """The only events that its webhook gets; None is every one."""
    changes_only: bool = False
    """Its webhook gets only records that have changed since they were last sent to it."""
    wait_for_destinations: bool = False
    """It completes once its records are at every destination that reads them."""
    landing_since: datetime | None = None
    """When it began to wait for them: all else was done."""
    destinations: list[JsonObject] | None = None
    """Of one that has waited for them: ``{destination_id, label, through, records, written, unchanged, …}`` of each."""
    waiting_on: str | None = None
    """The run that a created one waits for, since both have the same mutex."""
    resumes: int = 0
    """How often it was resumed."""
    completed_at: datetime | None = None
    """When it first completed: a resumed run may complete again."""
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


def show_run(run: SyncJobRun) -> JsonObject:
    """Return the JSON of a run, its job embedded."""
    values = {name: getattr(run, name) for name in _SHOWN}
    return {name: format_utc(value) if isinstance(value, datetime) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """One recorded error of a run, as ``GET /sync-job-run/{id}/errors`` lists it."""

    id: str
    sync_job_run_id: str
    resource: str | None
    method: str | None
    code: str
    message: str
    details: JsonObject
    """What helps to find it: status, url without its query, parent ids, record_id, excerpt."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One value in the namespace of a state key."""

    environment_id: EnvironmentId
    state_key: str
    key: str
    value: JSON
    sync_job_run_id: str | None = None
    """The run that it was written for."""
    created_at: datetime
    updated_at: datetime


def find_resume_objection(status: RunStatus, *, has_failed_requests: bool, errors_only: bool) -> str | None:
    """Return why a run that ended in this status can not be resumed; None when it can.

    A failed or stopped run can always be: even with every request made, its deliveries and its books are left.
    """
    if has_failed_requests:
        return None
    if status is RunStatus.COMPLETED:
        return "the run has completed, and no request of it failed: there is nothing to resume"
    if errors_only:
        return "no request of the run has failed: resume it without errors_only"
    return None
