"""Put the log together from what tells it."""

from collections.abc import Mapping

from app.bootstrap.shared import Shared
from app.engine.logs.entries import LogType
from app.services.reading.logs import LogService, LogSource
from app.store.reading.direct_calls import DirectCallStore
from app.store.reading.run_log import RunLogReader
from app.store.reading.webhook_log import WebhookLogReader
from app.store.schedules.triggers import TriggerStore


def log_service(shared: Shared, calls: DirectCallStore) -> LogService:
    """Make what reads the log."""
    return LogService(_sources(shared, calls), shared.clock)


def _sources(shared: Shared, calls: DirectCallStore) -> Mapping[LogType, LogSource]:
    of_runs = ("sync_job_run_id", "sync_job_id", "sync_job_run_event", "integrated_account_id", "integration")
    runs = LogSource(read=RunLogReader(shared.engine).read, filters=frozenset({*of_runs, "webhook_id"}))
    return {
        LogType.TRIGGERS: LogSource(
            read=TriggerStore(shared.engine).fires,
            filters=frozenset({"id", "sync_job_cron_trigger_id", "sync_job_run_id"}),
            most=1000,
            is_bounded=False,
        ),
        LogType.RAPID_BRIDGE: runs,
        LogType.RUNS: runs,
        LogType.WEBHOOKS: LogSource(
            read=WebhookLogReader(shared.engine).read,
            filters=frozenset({"id", "webhook_id", "event", "status", "sync_job_run_id"}),
        ),
        LogType.DIRECT_CALLS: LogSource(
            read=calls.list, filters=frozenset({"id", "integrated_account_id", "resource", "method", "request_type"})
        ),
    }
