"""What can be wrong with a request for a run, told all at once."""

from collections.abc import Sequence

from app.engine.errors import Failure
from app.engine.jobs import args, run_keys, scope
from app.engine.jobs import args as arguments
from app.engine.json_types import JsonObject
from app.engine.objects import daemons
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.jobs import SyncJob
from app.engine.objects.webhooks import Webhook
from app.engine.status import AccountStatus
from app.engine.webhooks import events
from app.services.calls.accounts import INACTIVE
from app.services.contexts.shown_contexts import ShownContexts
from app.services.runs.requests import RunRequest


def reference_failures(
    request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None, webhook: Webhook | None
) -> Sequence[Failure]:
    """Find what does not exist, or does not belong together."""
    failures: list[Failure] = []
    if request.sync_job_id and job is None:
        failures.append(_missing("sync_job_id", "sync job", request.sync_job_id))
    if request.integrated_account_id:
        failures += _account_failures(request, job, account)
    if request.webhook_id and webhook is None:
        failures.append(_missing("webhook_id", "webhook", request.webhook_id))
    return failures


def bound_args(request: RunRequest, job: SyncJob | None) -> tuple[JsonObject, Sequence[Failure]]:
    """Fill defaults in and check: the job's own rule sees only arguments that its schema takes."""
    if job is None:
        return request.args, []
    bound, failures = arguments.bind(job.args_schema, request.args)
    return bound, failures or args.apply_rule(job.args_validation, bound)


def keys(
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
        for context in (account.context, shown.of(account))
    )
    for name, template in templates.items():
        if template is not None:
            resolved[name], wrong = run_keys.resolve(name, template, whole, masked=masked)
            faults += wrong
    return resolved, faults


def destination_failures(request: RunRequest) -> list[Failure]:
    """Find what is wrong with where a run's records are to go."""
    failures = []
    if request.daemon_group_key and request.webhook_id:
        message = "daemon_group_key (daemon run) and webhook_id (RapidBridge run) exclude each other: send one of them"
        failures.append(Failure("daemon_group_key", message))
    if request.daemon_group_key and not daemons.GROUP_KEY.fullmatch(request.daemon_group_key):
        message = "expected 1 to 100 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
        failures.append(Failure("daemon_group_key", message))
    return [*failures, *events.check_events(request.events_to_send)]


def _account_failures(request: RunRequest, job: SyncJob | None, account: IntegratedAccount | None) -> Sequence[Failure]:
    if account is None:
        return [_missing("integrated_account_id", "integrated account", request.integrated_account_id)]
    if account.status == AccountStatus.INACTIVE:
        return [Failure("integrated_account_id", INACTIVE)]
    if job is None or account.integration_name == job.integration_name:
        return []
    message = f"is an account of '{account.integration_name}'; the sync job is for '{job.integration_name}'"
    return [Failure("integrated_account_id", message)]


def _missing(path: str, kind: str, id: str) -> Failure:
    return Failure(path, f"{kind} '{id}' does not exist", missing_reference=True)
