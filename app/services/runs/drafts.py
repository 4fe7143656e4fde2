"""Turn a request for a run into a draft that can be written, or tell everything that is wrong with it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.jobs import definition, planning, run_keys
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JsonObject
from app.engine.objects import daemons
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.engine.records.rows import encode
from app.engine.runs import books
from app.engine.runs.increments import LowerBounds
from app.engine.status import RunStatus
from app.engine.times import format_utc
from app.engine.unified.model import parse_unified_name
from app.services.contexts.shown_contexts import ShownContexts
from app.services.runs import checks
from app.services.runs.job_cache import CachedJob, JobCache
from app.services.runs.requests import IdempotencyKey, RunRequest
from app.services.unified.mappings import UnifiedMappings


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
    supposes: CachedJob | None = None
    """What the draft was made of without a look at the job and the account: to be compared when it is written."""

    def run(self, *, at: datetime, bounds: LowerBounds, waiting_on: str | None = None) -> SyncJobRun:
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
            previous_run_date=bounds.run,
            overlap_seconds=self.overlap_seconds,
            resource_stats=books.show_first_stats(self.items, bounds),
            mutex_key=self.mutex_key,
            force=request.force,
            state_key=self.state_key,
            events_to_send=list(request.events_to_send) if request.events_to_send is not None else None,
            changes_only=self.changes_only,
            waiting_on=waiting_on,
            created_at=at,
            updated_at=at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReferences:
    """What a request for a run refers to, each None where the environment has none with that id."""

    job: SyncJob | None
    job_version: str
    """Of the job's row: another one after each change."""
    account: IntegratedAccount | None


class ReferenceReader(Protocol):
    """Reads what requests for runs refer to."""

    def read(self, environment_id: EnvironmentId, *, job_id: str | None, account_id: str | None) -> RunReferences:
        """Read a job and an account."""


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
        shown_contexts: ShownContexts,
        default_group: str,
        default_overlap_seconds: int,
    ) -> None:
        self._references = references
        self._webhooks = webhooks
        self._unified = unified
        self._shown_contexts = shown_contexts
        self._default_group = default_group
        self._default_overlap_seconds = default_overlap_seconds
        self._known = JobCache()

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        """Make a draft; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        found = self._references.read(
            environment_id, job_id=request.sync_job_id or None, account_id=request.integrated_account_id or None
        )
        job, account, webhook = found.job, found.account, self._webhook(environment_id, request)
        failures = [*faults, *checks.reference_failures(request, job, account, webhook)]
        failures += checks.destination_failures(request)
        bound, arg_failures = checks.bound_args(request, job)
        resources = job.resources if job and request.resources is None else request.resources
        items, item_failures = definition.parse_resources(resources) if job else ([], [])
        keys, key_failures = checks.keys(request, job, account, bound, self._shown_contexts)
        failures += [*arg_failures, *item_failures, *([] if arg_failures else key_failures)]
        failures += self._unified.find_all(account, items)[1] if account and not item_failures else []
        if failures or job is None:
            raise InvalidInputError(failures)
        known = CachedJob(job=job, version=found.job_version, items=planning.plan(items).order)
        if request.resources is None:
            self._note(known)
        return self._made(
            environment_id, request, known, args=bound, keys=keys, webhook=webhook, idempotency=idempotency
        )

    def draft_unread(self, environment_id: EnvironmentId, request: RunRequest) -> RunDraft | None:
        """Make a draft that supposes what is known of its job; None where something has to be read or refused first."""
        known = self._known.find(environment_id, request.sync_job_id)
        if known is None or request.resources is not None or request.mutex_key or request.state_key:
            return None
        webhook = self._webhook(environment_id, request)
        bound, arg_failures = checks.bound_args(request, known.job)
        is_webhook_missing = bool(request.webhook_id) and webhook is None
        if arg_failures or is_webhook_missing or checks.destination_failures(request):
            return None
        draft = self._made(environment_id, request, known, args=bound, keys={}, webhook=webhook, idempotency=None)
        return replace(draft, supposes=known)

    def _note(self, known: CachedJob) -> None:
        """Remember a job, unless its runs need more than itself: their account's context, or mappings."""
        job = known.job
        if not (job.mutex_key or job.state_key or any(parse_unified_name(item.resource) for item in known.items)):
            self._known.note(known)

    def _made(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        known: CachedJob,
        *,
        args: JsonObject,
        keys: Mapping[str, str | None],
        webhook: Webhook | None,
        idempotency: IdempotencyKey | None,
    ) -> RunDraft:
        job, group_key = known.job, self._group_key(request)
        return RunDraft(
            id=new_id(),
            environment_id=environment_id,
            request=request,
            args=args,
            args_hash=hashlib.sha256(encode([new_id()] if request.is_apart else args)).digest(),
            sync_job=_snapshot(job),
            resources=job.resources if request.resources is None else request.resources,
            items=known.items,
            version=job.default_runtime_version,
            group_key=group_key,
            queue=daemons.name_queue(group_key),
            overlap_seconds=self._overlap_seconds(request, job),
            mutex_key=keys.get(run_keys.MUTEX_KEY),
            state_key=keys.get(run_keys.STATE_KEY),
            changes_only=webhook is not None and webhook.changes_only,
            idempotency=idempotency,
        )

    def _webhook(self, environment_id: EnvironmentId, request: RunRequest) -> Webhook | None:
        return self._webhooks.get(environment_id, request.webhook_id) if request.webhook_id else None

    def _group_key(self, request: RunRequest) -> str | None:
        return None if request.webhook_id else request.daemon_group_key or self._default_group

    def _overlap_seconds(self, request: RunRequest, job: SyncJob) -> int:
        chosen = (request.overlap_seconds, job.overlap_seconds, self._default_overlap_seconds)
        return next(seconds for seconds in chosen if seconds is not None)


def _snapshot(job: SyncJob) -> JsonObject:
    return {
        "id": job.id,
        "integration_name": job.integration_name,
        "args_schema": job.args_schema,
        "resources": job.resources,
        "environment_id": job.environment_id,
        "created_at": format_utc(job.created_at),
        "updated_at": format_utc(job.updated_at),
    }
