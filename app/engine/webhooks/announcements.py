"""Events that belong to no run: what they are called, and what they tell."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.runs import SyncJobRun, show_run
from app.engine.objects.triggers import DueTrigger
from app.engine.runs.work import EventDraft
from app.engine.times import iso_utc, iso_utc_or_none
from app.engine.webhooks import events

TRIGGER_FAILED: Final = "sync_job_cron_trigger:failed"
REACTIVATED: Final = "integrated_account:reactivated"


def trigger_failed(due: DueTrigger, error: str, *, next_run_at: datetime | None, to: Sequence[str]) -> list[EventDraft]:
    """Return webhooks that a trigger's due time has made no run."""
    trigger = due.trigger
    payload = {
        "id": trigger.id,
        "sync_job_id": trigger.sync_job_id,
        "integrated_account_id": trigger.integrated_account_id,
        "cron_expression": trigger.cron_expression,
        "timezone": trigger.timezone,
        "args": trigger.args,
        "due_at": iso_utc(due.due_at),
        "next_run_at": iso_utc_or_none(next_run_at),
        "error": error,
    }
    return events.to_each(to, TRIGGER_FAILED, payload, environment_id=trigger.environment_id, at=due.now)


def run_event(run: SyncJobRun, event: str, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Return webhooks that are not the run's what has become of it."""
    return events.to_each(to, event, events.run_payload(show_run(run)), environment_id=run.environment_id, at=at)


def run_deleted(run: SyncJobRun, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Return webhooks that a run was removed, but not its own where the run sends it no such events."""
    told = [id for id in to if id != run.webhook_id or events.is_sent(run, events.DELETED)]
    return events.to_each(told, events.DELETED, {"id": run.id}, environment_id=run.environment_id, at=at)


def reactivated(account: IntegratedAccount, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Return webhooks that an account which had to be connected anew has new credentials."""
    payload = events.account_payload(account)
    return events.to_each(to, REACTIVATED, payload, environment_id=account.environment_id, at=at)
