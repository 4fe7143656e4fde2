"""A request for a run, what it refers to, and the draft of the run that it becomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import books
from app.engine.runs.increments import LowerBounds
from app.engine.status import ErrorHandling, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The body of ``POST /sync-job-run``."""

    sync_job_id: str = ""
    """Empty, as the next one, only beside a fault that says so."""
    integrated_account_id: str = ""
    args: JsonObject = field(default_factory=dict)
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    ignore_previous_run: bool = False
    overlap_seconds: int | None = None
    """Replaces the job's."""
    resources: JSON = None
    """Replaces the job's resources for this run."""
    mutex_key: str | None = None
    """Replaces the job's."""
    force: bool = False
    """Start whatever other run holds the mutex."""
    state_key: str | None = None
    """Replaces the job's."""
    is_apart: bool = False
    """A trial: no increment goes on from where it ends, and it goes on from none."""
    events_to_send: Sequence[str] | None = None
    """The only events that the webhook gets; None is every one."""
    wait_for_destinations: bool | None = None
    """Replaces the job's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The caller's word that a repeat of the same body means the same run."""

    key: str
    body_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReferences:
    """What a request for a run refers to, each None where the environment has none with that id."""

    job: SyncJob | None
    job_version: str
    """Of the job's row: another one after each change."""
    account: IntegratedAccount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedJob:
    """A job as it was read, and what follows from it alone."""

    job: SyncJob
    version: str
    """Of the job's row: another one after each change."""
    items: Sequence[ResourceItem]
    """Parents before their children."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDraft:
    """A run that is about to be written, with all that goes into the same transaction."""

    id: str
    environment_id: EnvironmentId
    request: RunRequest
    args: JsonObject
    args_hash: bytes
    sync_job: JsonObject
    resources: Sequence[JsonObject]
    items: Sequence[ResourceItem]
    """Parents before their children."""
    version: int
    group_key: str | None
    queue: str
    overlap_seconds: int
    mutex_key: str | None
    """Resolved, as the next one."""
    state_key: str | None = None
    changes_only: bool = False
    """As its webhook wishes at this moment."""
    wait_for_destinations: bool = False
    idempotency: IdempotencyKey | None
    supposes: CachedJob | None = None
    """What the draft was made of without a look at the job and the account: to be compared when it is written."""

    def to_run(self, *, at: datetime, bounds: LowerBounds, waiting_on: str | None = None) -> SyncJobRun:
        """Return the run as it is when it has just been written; ``at`` is its time of creation."""
        request = self.request
        return SyncJobRun(
            id=self.id,
            environment_id=self.environment_id,
            sync_job_id=request.sync_job_id,
            integrated_account_id=request.integrated_account_id,
            status=RunStatus.CREATED,
            args=self.args,
            resources=list(self.resources),
            sync_job=self.sync_job,
            daemon_group_key=self.group_key,
            webhook_id=request.webhook_id,
            error_handling=request.error_handling,
            ignore_previous_run=request.ignore_previous_run,
            version=self.version,
            previous_run_date=bounds.run,
            overlap_seconds=self.overlap_seconds,
            resource_stats=books.show_first_stats(self.items, bounds),
            mutex_key=self.mutex_key,
            force=request.force,
            state_key=self.state_key,
            events_to_send=list(request.events_to_send) if request.events_to_send is not None else None,
            changes_only=self.changes_only,
            wait_for_destinations=self.wait_for_destinations,
            waiting_on=waiting_on,
            created_at=at,
            updated_at=at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRun:
    """The run that a draft led to, and the outbox message that announces it (None for a replay)."""

    run: SyncJobRun
    outbox_id: int | None
    queue: str = ""
    """Where it is to be announced; empty for a replay."""
