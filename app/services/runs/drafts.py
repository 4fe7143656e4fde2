"""Turn a request for a run into a draft that can be written, or raise with everything that is wrong with it.

A job that runs were made of lately need not be read again. It may have changed since in another process: a draft that
was made of it only supposes, and the statement that writes the run compares the version of the job's row.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.jobs import args as arguments
from app.engine.jobs import definition, planning, run_keys, scope
from app.engine.jobs.args import apply_rule
from app.engine.json_types import JsonObject
from app.engine.objects import daemons
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.engine.objects.webhooks import Webhook
from app.engine.records.rows import encode
from app.engine.status import AccountStatus
from app.engine.times import format_utc
from app.engine.unified.model import parse_unified_name
from app.engine.webhooks import events
from app.services.calls.accounts import INACTIVE
from app.services.contexts.account_configs import ShownContexts
from app.services.crud import Reader
from app.services.runs.requests import CachedJob, IdempotencyKey, RunDraft, RunReferences, RunRequest
from app.services.unified.mappings import UnifiedMappings

_MOST_KNOWN: Final = 256


class RunDrafts:
    """Makes drafts of runs."""

    def __init__(
        self,
        *,
        read_references: Callable[..., RunReferences],
        webhooks: Reader[Webhook],
        unified: UnifiedMappings,
        shown_contexts: ShownContexts,
        default_group: str,
        default_overlap_seconds: int,
    ) -> None:
        self._read_references = read_references
        self._webhooks = webhooks
        self._unified = unified
        self._shown_contexts = shown_contexts
        self._default_group = default_group
        self._default_overlap_seconds = default_overlap_seconds
        self._jobs = JobCache()

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        """Return a draft; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        found = self._read_references(
            environment_id, job_id=request.sync_job_id or None, account_id=request.integrated_account_id or None
        )
        job, account, webhook = found.job, found.account, self._read_webhook(environment_id, request)
        failures = [*faults, *_find_reference_failures(request, job, account, webhook)]
        failures += _find_destination_failures(request)
        bound, arg_failures = _bind_args(request, job)
        resources = job.resources if job and request.resources is None else request.resources
        items, item_failures = definition.parse_resources(resources) if job else ([], [])
        keys, key_failures = _resolve_keys(request, job, account, bound, self._shown_contexts)
        failures += [*arg_failures, *item_failures, *([] if arg_failures else key_failures)]
        failures += self._unified.find_all(account, items)[1] if account and not item_failures else []
        if failures or job is None:
            raise InvalidInputError(failures)
        known = CachedJob(job=job, version=found.job_version, items=planning.plan(items).order)
        if request.resources is None:
            self._cache(known)
        return self._build(
            environment_id, request, known, args=bound, keys=keys, webhook=webhook, idempotency=idempotency
        )

    def draft_unread(self, environment_id: EnvironmentId, request: RunRequest) -> RunDraft | None:
        """Return a draft by what is known of its job; None where something has to be read or refused first."""
        known = self._jobs.find(environment_id, request.sync_job_id)
        if known is None or request.resources is not None or request.mutex_key or request.state_key:
            return None
        webhook = self._read_webhook(environment_id, request)
        bound, arg_failures = _bind_args(request, known.job)
        is_webhook_missing = bool(request.webhook_id) and webhook is None
        if arg_failures or is_webhook_missing or _find_destination_failures(request):
            return None
        return self._build(environment_id, request, known, args=bound, keys={}, webhook=webhook, supposes=known)

    def _cache(self, known: CachedJob) -> None:
        """Keep a job, unless its runs need more than itself: their account's context, or mappings."""
        job = known.job
        if not (job.mutex_key or job.state_key or any(parse_unified_name(item.resource) for item in known.items)):
            self._jobs.put(known)

    def _build(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        known: CachedJob,
        *,
        args: JsonObject,
        keys: Mapping[str, str | None],
        webhook: Webhook | None,
        idempotency: IdempotencyKey | None = None,
        supposes: CachedJob | None = None,
    ) -> RunDraft:
        job, group_key = known.job, self._choose_group(request)
        return RunDraft(
            id=new_id(),
            environment_id=environment_id,
            request=request,
            args=args,
            args_hash=hashlib.sha256(encode([new_id()] if request.is_apart else args)).digest(),
            sync_job=_take_snapshot(job),
            resources=job.resources if request.resources is None else request.resources,
            items=known.items,
            version=job.default_runtime_version,
            group_key=group_key,
            queue=daemons.name_queue(group_key),
            overlap_seconds=self._choose_overlap(request, job),
            mutex_key=keys.get(run_keys.MUTEX_KEY),
            state_key=keys.get(run_keys.STATE_KEY),
            changes_only=webhook is not None and webhook.changes_only,
            wait_for_destinations=_waits_for_destinations(request, job),
            idempotency=idempotency,
            supposes=supposes,
        )

    def _read_webhook(self, environment_id: EnvironmentId, request: RunRequest) -> Webhook | None:
        return self._webhooks.get(environment_id, request.webhook_id) if request.webhook_id else None

    def _choose_group(self, request: RunRequest) -> str | None:
        return None if request.webhook_id else request.daemon_group_key or self._default_group

    def _choose_overlap(self, request: RunRequest, job: SyncJob) -> int:
        chosen = (request.overlap_seconds, job.overlap_seconds, self._default_overlap_seconds)
        return next(seconds for seconds in chosen if seconds is not None)


def _waits_for_destinations(request: RunRequest, job: SyncJob) -> bool:
    """Whether a run completes only once its records have landed; a webhook's records land nowhere else."""
    wish = request.wait_for_destinations
    return request.webhook_id is None and (job.wait_for_destinations if wish is None else wish)


def _take_snapshot(job: SyncJob) -> JsonObject:
    return {
        "id": job.id,
        "integration_name": job.integration_name,
        "args_schema": job.args_schema,
        "resources": job.resources,
        "environment_id": job.environment_id,
        "created_at": format_utc(job.created_at),
        "updated_at": format_utc(job.updated_at),
    }


def _find_reference_failures(
    request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None, webhook: Webhook | None
) -> Sequence[Failure]:
    """Find what does not exist, or does not belong together."""
    failures: list[Failure] = []
    if request.sync_job_id and job is None:
        failures.append(_build_missing("sync_job_id", "sync job", request.sync_job_id))
    if request.integrated_account_id:
        failures += _find_account_failures(request, job, account)
    if request.webhook_id and webhook is None:
        failures.append(_build_missing("webhook_id", "webhook", request.webhook_id))
    return failures


def _bind_args(request: RunRequest, job: SyncJob | None) -> tuple[JsonObject, Sequence[Failure]]:
    """Fill in defaults and check: the job's own rule sees only arguments that its schema accepts."""
    if job is None:
        return request.args, []
    bound, failures = arguments.bind(job.args_schema, request.args)
    return bound, failures or apply_rule(job.args_validation, bound)


def _resolve_keys(
    request: RunRequest,
    job: SyncJob | None,
    account: IntegratedAccount | None,
    args: JsonObject,
    shown: ShownContexts,
) -> tuple[dict[str, str | None], Sequence[Failure]]:
    """Resolve the run's mutex and state keys, each None where neither request nor job has one."""
    templates = {
        run_keys.MUTEX_KEY: request.mutex_key or (job.mutex_key if job else None),
        run_keys.STATE_KEY: request.state_key or (job.state_key if job else None),
    }
    resolved: dict[str, str | None] = dict.fromkeys(templates)
    faults: list[Failure] = []
    if not any(templates.values()):
        return resolved, faults
    if job is None or account is None:
        return resolved, [
            fault for name, template in templates.items() for fault in run_keys.check_template(name, template)
        ]
    whole, masked = (
        scope.build_run_scope(
            args=args,
            context=context,
            tenant_id=account.tenant_id,
            previous_run_date=None,
            run={"sync_job_id": job.id, "integrated_account_id": account.id},
        )
        for context in (account.context, shown.mask(account))
    )
    for name, template in templates.items():
        if template is not None:
            resolved[name], wrong = run_keys.resolve(name, template, whole, masked=masked)
            faults += wrong
    return resolved, faults


def _find_destination_failures(request: RunRequest) -> list[Failure]:
    """Find what is wrong with where a run's records are to go."""
    failures = []
    if request.daemon_group_key and request.webhook_id:
        message = "daemon_group_key (daemon run) and webhook_id (RapidBridge run) exclude each other: send one of them"
        failures.append(Failure("daemon_group_key", message))
    if request.daemon_group_key and not daemons.GROUP_KEY.fullmatch(request.daemon_group_key):
        message = "expected 1 to 100 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
        failures.append(Failure("daemon_group_key", message))
    if request.wait_for_destinations and request.webhook_id:
        message = "is for daemon runs: a run with webhook_id completes once its receiver has everything"
        failures.append(Failure("wait_for_destinations", message))
    return [*failures, *events.check_events(request.events_to_send)]


def _find_account_failures(
    request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None
) -> Sequence[Failure]:
    if account is None:
        return [_build_missing("integrated_account_id", "integrated account", request.integrated_account_id)]
    if account.status == AccountStatus.INACTIVE:
        return [Failure("integrated_account_id", INACTIVE)]
    if job is None or account.integration_name == job.integration_name:
        return []
    message = f"is an account of '{account.integration_name}'; the sync job is for '{job.integration_name}'"
    return [Failure("integrated_account_id", message)]


def _build_missing(path: str, kind: str, id: str) -> Failure:
    return Failure(path, f"{kind} '{id}' does not exist", missing_reference=True)


class JobCache:
    """The jobs that were used last; safe to use from several threads."""

    def __init__(self, *, most: int = _MOST_KNOWN) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[EnvironmentId, str], CachedJob] = OrderedDict()

    def put(self, known: CachedJob) -> None:
        """Keep a job in the place of what was known of it; drop the one that was not used for longest."""
        key = (known.job.environment_id, known.job.id)
        with self._lock:
            self._jobs[key] = known
            self._jobs.move_to_end(key)
            if len(self._jobs) > self._most:
                self._jobs.popitem(last=False)

    def find(self, environment_id: EnvironmentId, job_id: str) -> CachedJob | None:
        """Return what is known of a job of an environment."""
        with self._lock:
            known = self._jobs.get((environment_id, job_id))
            if known is not None:
                self._jobs.move_to_end((environment_id, job_id))
            return known
