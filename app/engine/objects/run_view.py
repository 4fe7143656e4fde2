"""A run as the API and its webhook events show it (the seed page's fields, and ours beside them)."""

from app.engine.json_types import JsonObject
from app.engine.objects.objects import SyncJobRun
from app.engine.times import iso_utc, iso_utc_or_none


def run_view(run: SyncJobRun) -> JsonObject:
    """Return the JSON of a run, its job embedded."""
    return {
        "id": run.id,
        "environment_id": run.environment_id,
        "sync_job_id": run.sync_job_id,
        "integrated_account_id": run.integrated_account_id,
        "status": run.status,
        "args": run.args,
        "resources": run.resources,
        "daemon_id": run.daemon_id,
        "daemon_group_key": run.daemon_group_key,
        "webhook_id": run.webhook_id,
        "error_handling": run.error_handling,
        "ignore_previous_run": run.ignore_previous_run,
        "version": run.version,
        "previous_run_date": iso_utc_or_none(run.previous_run_date),
        "upper_bound": iso_utc_or_none(run.upper_bound),
        "overlap_seconds": run.overlap_seconds,
        "resource_stats": run.resource_stats,
        "error": run.error,
        "mutex_key": run.mutex_key,
        "force": run.force,
        "state_key": run.state_key,
        "events_to_send": run.events_to_send,
        "changes_only": run.changes_only,
        "waiting_on": run.waiting_on,
        "resumes": run.resumes,
        "retry_after": iso_utc_or_none(run.retry_after),
        "created_at": iso_utc(run.created_at),
        "updated_at": iso_utc(run.updated_at),
        "started_at": iso_utc_or_none(run.started_at),
        "finished_at": iso_utc_or_none(run.finished_at),
        "sync_job": run.sync_job,
    }
