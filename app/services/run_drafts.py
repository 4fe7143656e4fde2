"""Turn a request for a run into a draft that can be written, or tell everything that is wrong with it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.engine import args as arguments
from app.engine import args_validation, books, definition, events, planning, routing, run_keys, scope
from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects import EnvironmentId, IntegratedAccount, SyncJob, SyncJobRun, Webhook
from app.engine.record_rows import encode
from app.engine.resource_items import ResourceItem
from app.engine.status import ErrorHandling, RunStatus
from app.engine.times import iso_utc
from app.services.unified_mappings import UnifiedMappings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What ``POST /sync-job-run`` asks for."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The caller's word that a repeat of the same body means the same run."""

    key: str
    body_hash: bytes


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
    idempotency: IdempotencyKey | None

    def run(self, *, at: datetime, previous_run_date: datetime | None, waiting_on: str | None = None) -> SyncJobRun:
        """Make the run as it is when it has just been written; ``at`` is its time of creation."""
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
            previous_run_date=previous_run_date,
            overlap_seconds=self.overlap_seconds,
            resource_stats=books.first_stats((item.name, item.method) for item in self.items),
            mutex_key=self.mutex_key,
            force=request.force,
            state_key=self.state_key,
            events_to_send=list(request.events_to_send) if request.events_to_send is not None else None,
            changes_only=self.changes_only,
            waiting_on=waiting_on,
            created_at=at,
            updated_at=at,
        )


class ReferenceReader(Protocol):
    """Reads what requests for runs refer to."""

    def read(
        self, environment_id: EnvironmentId, *, job_id: str | None, account_id: str | None
    ) -> tuple[SyncJob | None, IntegratedAccount | None]:
        """Read a job and an account, each None where the environment has none with that id."""


class WebhookReader(Protocol):
    """Reads webhooks."""

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook."""


class RunDrafts:
    """Makes drafts of runs."""

    def __init__(
        self,
        *,
        references: ReferenceReader,
        webhooks: WebhookReader,
        unified: UnifiedMappings,
        default_group: str,
        default_overlap_seconds: int,
    ) -> None:
        self._references = references
        self._webhooks = webhooks
        self._unified = unified
        self._default_group = default_group
        self._default_overlap_seconds = default_overlap_seconds

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        """Make a draft; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        job, account = self._references.read(
            environment_id, job_id=request.sync_job_id or None, account_id=request.integrated_account_id or None
        )
        webhook = self._webhooks.get(environment_id, request.webhook_id) if request.webhook_id else None
        failures = [*faults, *_reference_failures(request, job, account, webhook), *_destination_failures(request)]
        bound, arg_failures = _bound_args(request, job)
        resources = job.resources if job and request.resources is None else request.resources
        items, item_failures = definition.parse_resources(resources) if job else ([], [])
        keys, key_failures = _keys(request, job, account, bound)
        failures += [*arg_failures, *item_failures, *([] if arg_failures else key_failures)]
        failures += self._unified.find_all(account, items)[1] if account and not item_failures else []
        if failures or job is None:
            raise InvalidInputError(failures)
        group_key = self._group_key(request)
        return RunDraft(
            id=new_id(),
            environment_id=environment_id,
            request=request,
            args=bound,
            args_hash=hashlib.sha256(encode([new_id()] if request.is_apart else bound)).digest(),
            sync_job=_snapshot(job),
            resources=resources,
            items=planning.plan(items).order,
            version=job.default_runtime_version,
            group_key=group_key,
            queue=routing.queue_of(group_key),
            overlap_seconds=self._overlap_seconds(request, job),
            mutex_key=keys[run_keys.MUTEX_KEY],
            state_key=keys[run_keys.STATE_KEY],
            changes_only=webhook is not None and webhook.changes_only,
            idempotency=idempotency,
        )

    def _group_key(self, request: RunRequest) -> str | None:
        return None if request.webhook_id else request.daemon_group_key or self._default_group

    def _overlap_seconds(self, request: RunRequest, job: SyncJob) -> int:
        chosen = (request.overlap_seconds, job.overlap_seconds, self._default_overlap_seconds)
        return next(seconds for seconds in chosen if seconds is not None)


def _reference_failures(
    request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None, webhook: Webhook | None
) -> Sequence[Failure]:
    failures: list[Failure] = []
    if request.sync_job_id and job is None:
        failures.append(_missing("sync_job_id", "sync job", request.sync_job_id))
    if request.integrated_account_id:
        failures += _account_failures(request, job, account)
    if request.webhook_id and webhook is None:
        failures.append(_missing("webhook_id", "webhook", request.webhook_id))
    return failures


def _bound_args(request: RunRequest, job: SyncJob | None) -> tuple[JsonObject, Sequence[Failure]]:
    """Fill defaults in and check: the job's own rule sees only arguments that its schema takes."""
    if job is None:
        return request.args, []
    bound, failures = arguments.bind(job.args_schema, request.args)
    return bound, failures or args_validation.failures(job.args_validation, bound)


def _keys(
    request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None, args: JsonObject
) -> tuple[dict[str, str | None], Sequence[Failure]]:
    templates = {
        run_keys.MUTEX_KEY: request.mutex_key or (job.mutex_key if job else None),
        run_keys.STATE_KEY: request.state_key or (job.state_key if job else None),
    }
    keys: dict[str, str | None] = dict.fromkeys(templates)
    faults: list[Failure] = []
    if not any(templates.values()):
        return keys, faults
    if job is None or account is None:
        return keys, [fault for name, template in templates.items() for fault in run_keys.failures(name, template)]
    seen = scope.run_scope(
        args=args,
        context=account.context,
        tenant_id=account.tenant_id,
        previous_run_date=None,
        run={"sync_job_id": job.id, "integrated_account_id": account.id},
    )
    for name, template in templates.items():
        if template is not None:
            keys[name], wrong = run_keys.resolve(name, template, seen)
            faults += wrong
    return keys, faults


def _account_failures(request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None) -> Sequence[Failure]:
    if account is None:
        return [_missing("integrated_account_id", "integrated account", request.integrated_account_id)]
    if job is None or account.integration_name == job.integration_name:
        return []
    message = f"is an account of '{account.integration_name}'; the sync job is for '{job.integration_name}'"
    return [Failure("integrated_account_id", message)]


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
    return [*failures, *events.choice_failures(request.events_to_send)]


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
