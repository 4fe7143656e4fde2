"""The API's side of runs: create them from valid input, show them, stop them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.engine import args as arguments
from app.engine import definition, planning, routing
from app.engine.definition import ResourceItem
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects import EnvironmentId, IntegratedAccount, Page, RunError, SyncJob, SyncJobRun, Webhook
from app.engine.record_rows import encode
from app.engine.status import ErrorHandling
from app.engine.times import iso_utc
from app.services.ports import Bell
from app.services.tracking import Tracking
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What ``POST /sync-job-run`` asks for."""

    sync_job_id: str
    integrated_account_id: str
    args: JsonObject = field(default_factory=dict)
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    ignore_previous_run: bool = False
    resources: JSON = None
    """Replaces the job's resources for this run."""


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
    idempotency_key: str | None
    body_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRun:
    """The run that a draft led to, and the outbox message that announces it (None for a replay)."""

    run: SyncJobRun
    outbox_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """What a listing of runs may be narrowed by; ``times`` maps ``(column, operator)`` to ISO times."""

    sync_job_id: str | None = None
    integrated_account_id: str | None = None
    status: Sequence[str] | None = None
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    sort: str = "-created_at"


class RunStore(Protocol):
    """Keeps runs."""

    def create(self, draft: RunDraft) -> CreatedRun:
        """Write a run, or find the one that its idempotency key made; raise IdempotencyKeyReusedError."""

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun | None:
        """Read one run."""

    def list(
        self, environment_id: EnvironmentId, filters: RunFilters, *, limit: int, cursor: str | None
    ) -> Page[SyncJobRun]:
        """Read a page of runs."""

    def delete(self, environment_id: EnvironmentId, run_id: str) -> bool:
        """Remove a final run with its events and errors, never its records."""

    def errors(self, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors."""


class JobReader(Protocol):
    """Reads sync jobs."""

    def get(self, environment_id: EnvironmentId, job_id: str) -> SyncJob | None:
        """Read one job."""


class AccountReader(Protocol):
    """Reads integrated accounts."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account."""


class WebhookReader(Protocol):
    """Reads webhooks."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook."""


class Outbox(Protocol):
    """Keeps promised messages."""

    def remove(self, message_id: int) -> None:
        """Forget a message that was published."""


class RunService:
    """Runs as the API's callers see them."""

    def __init__(
        self,
        *,
        runs: RunStore,
        jobs: JobReader,
        accounts: AccountReader,
        webhooks: WebhookReader,
        outbox: Outbox,
        tracking: Tracking,
        bell: Bell,
        settings: Settings,
    ) -> None:
        self._runs = runs
        self._jobs = jobs
        self._accounts = accounts
        self._webhooks = webhooks
        self._outbox = outbox
        self._tracking = tracking
        self._bell = bell
        self._settings = settings

    def create(
        self, environment_id: EnvironmentId, request: RunRequest, *, idempotency_key: str | None, body_hash: bytes
    ) -> tuple[SyncJobRun, bool]:
        """Accept a run; tell also whether it is a replay of an earlier request with the same idempotency key.

        Raises InvalidInputError with every fault of the request, and IdempotencyKeyReusedError.
        """
        draft = self._draft(environment_id, request, idempotency_key, body_hash)
        created = self._runs.create(draft)
        if created.outbox_id is None:
            return created.run, True
        # The run is safe: publishing now only saves the sweeper's second.
        if self._bell.ring_run(created.run.id, queue=draft.queue):
            self._outbox.remove(created.outbox_id)
        return created.run, False

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        """Read one run; raise NotFoundError."""
        run = self._runs.get(environment_id, run_id)
        if run is None:
            raise NotFoundError("sync job run", run_id)
        return run

    def list(
        self, environment_id: EnvironmentId, filters: RunFilters, *, limit: int, cursor: str | None
    ) -> Page[SyncJobRun]:
        """Read a page of runs."""
        return self._runs.list(environment_id, filters, limit=limit, cursor=cursor)

    def stop(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        """Stop a live run; a run that has ended stays as it is."""
        self.get(environment_id, run_id)
        self._tracking.stop(run_id)
        return self.get(environment_id, run_id)

    def delete(self, environment_id: EnvironmentId, run_id: str) -> str:
        """Stop a live run, or remove one that has ended."""
        if self.get(environment_id, run_id).status.is_final:
            self._runs.delete(environment_id, run_id)
        else:
            self._tracking.stop(run_id)
        return run_id

    def errors(self, environment_id: EnvironmentId, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors."""
        self.get(environment_id, run_id)
        return self._runs.errors(run_id, limit=limit, cursor=cursor)

    def _draft(
        self, environment_id: EnvironmentId, request: RunRequest, idempotency_key: str | None, body_hash: bytes
    ) -> RunDraft:
        job = self._jobs.get(environment_id, request.sync_job_id)
        account = self._accounts.get(environment_id, request.integrated_account_id)
        failures = _job_failures(request, job, account)
        if request.webhook_id and self._webhooks.get(environment_id, request.webhook_id) is None:
            failures.append(_missing("webhook_id", "webhook", request.webhook_id))
        bound, arg_failures = arguments.bind(job.args_schema, request.args) if job else (request.args, [])
        resources = request.resources if request.resources is not None else (job.resources if job else [])
        items, item_failures = definition.parse_resources(resources) if job else ([], [])
        failures += arg_failures + item_failures + _destination_failures(request)
        if failures or job is None:
            raise InvalidInputError(failures)
        group_key = None if request.webhook_id else request.daemon_group_key or self._settings.default_group
        return RunDraft(
            id=new_id(),
            environment_id=environment_id,
            request=request,
            args=bound,
            args_hash=hashlib.sha256(encode(bound)).digest(),
            sync_job=_snapshot(job),
            resources=resources,
            items=planning.plan(items).order,
            version=job.default_runtime_version,
            group_key=group_key,
            queue=routing.queue_of(group_key),
            idempotency_key=idempotency_key,
            body_hash=body_hash,
        )


def _job_failures(request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None) -> list[Failure]:
    failures: list[Failure] = []
    if job is None:
        failures.append(_missing("sync_job_id", "sync job", request.sync_job_id))
    if account is None:
        failures.append(_missing("integrated_account_id", "integrated account", request.integrated_account_id))
    elif job is not None and account.integration_name != job.integration_name:
        message = f"is an account of '{account.integration_name}'; the sync job is for '{job.integration_name}'"
        failures.append(Failure("integrated_account_id", message))
    return failures


def _missing(path: str, kind: str, id: str) -> Failure:
    return Failure(path, f"{kind} '{id}' does not exist", missing_reference=True)


def _destination_failures(request: RunRequest) -> list[Failure]:
    failures = []
    if request.daemon_group_key and request.webhook_id:
        message = "daemon_group_key (daemon run) and webhook_id (RapidBridge run) exclude each other: send one of them"
        failures.append(Failure("daemon_group_key", message))
    if request.daemon_group_key and not routing.GROUP_KEY.fullmatch(request.daemon_group_key):
        message = "expected 1 to 100 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
        failures.append(Failure("daemon_group_key", message))
    return failures


def _snapshot(job: SyncJob) -> JsonObject:
    return {
        "id": job.id,
        "integration_name": job.integration_name,
        "args_schema": job.args_schema,
        "resources": job.resources,
        "environment_id": job.environment_id,
        "created_at": iso_utc(job.created_at),
        "updated_at": iso_utc(job.updated_at),
    }
