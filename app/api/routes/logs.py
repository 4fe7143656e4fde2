"""``/log``: what happened in runs, to webhooks, by direct calls and to cron triggers."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, read_filters, show_page, show_plain
from app.api.schemas.fields import page_of
from app.api.schemas.logs import LogEntry, LogQuery
from app.engine.json_types import JsonObject
from app.engine.logs.entries import LogType, RunEntry, WebhookEntry
from app.engine.objects.environments import Role

_ABOUT: Final = (
    *("environment_id", "sync_job_run_id", "sync_job_id", "integrated_account_id", "integration", "webhook_id"),
    *("sync_job_cron_trigger_id", "request_id"),
)
"""The ids of what an entry is about."""

logs = Resource("log", description="What happened", changes=Role.ADMIN)


@logs.serves("GET", query=LogQuery, answer=page_of(LogEntry))
def list_log(query: JsonObject) -> Answer:
    """List log entries, newest first."""
    kind = LogType(query.pop("log_type"))
    page = services().reading.logs.read(environment(), kind, read_filters(query, times=("created_at",)))
    return show_page(page, lambda entry: _show(kind, _VIEWS[kind](entry)))


def _show(kind: LogType, entry: JsonObject) -> JsonObject:
    """Show an entry with the fields that the official SDKs read."""
    about = {name: entry[name] for name in _ABOUT if entry.get(name) is not None}
    return {"log_type": kind, "_id": entry["id"], "timestamp": entry["created_at"], "metadata": about, **entry}


def _of_run(entry: RunEntry) -> JsonObject:
    shown = {name: value for name, value in asdict(entry).items() if name not in ("run", "last_error")}
    own = ("status", "webhook_successful", "sync_job_request_type", "logs")
    return {**shown, **asdict(entry.run), **{name: getattr(entry, name) for name in own}}


def _of_webhook(entry: WebhookEntry) -> JsonObject:
    delivery = show_plain(entry.delivery)
    return {
        **delivery,
        "environment_id": entry.environment_id,
        "webhook_endpoint_status": delivery["last_status_code"],
    }


_VIEWS: Final[Mapping[LogType, Callable[[Any], JsonObject]]] = {
    LogType.TRIGGERS: show_plain,
    LogType.RUNS: _of_run,
    LogType.RAPID_BRIDGE: _of_run,
    LogType.WEBHOOKS: _of_webhook,
    LogType.DIRECT_CALLS: show_plain,
}
