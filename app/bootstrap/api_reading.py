"""Build what an API process reads of the work of daemons."""

from collections.abc import Mapping
from functools import partial

from app.api.resources.services import (
    ReadingServices,
)
from app.bootstrap.shared import Shared
from app.engine.logs.entries import LogType
from app.services.diagnosis.fleet import FleetStatus
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.health import HealthService
from app.services.reading.audit import AuditService
from app.services.reading.exports import ExportService
from app.services.reading.logs import LogService, LogSource
from app.services.reading.records import RecordService
from app.services.runs.runs import RunService
from app.settings import Settings
from app.store.catalog.embedded_integrations import EmbeddedIntegrationStore
from app.store.db.database import state_of
from app.store.db.row_versions import RowVersions
from app.store.destinations.health import DestinationHealthStore
from app.store.maintenance.erasures import ErasureStore
from app.store.maintenance.fleet import FleetReader
from app.store.maintenance.wait_facts import RunFactStore
from app.store.reading.account_log import LogReader
from app.store.reading.audit import AuditReader
from app.store.reading.direct_calls import DirectCallStore
from app.store.reading.exports import ExportReader
from app.store.reading.records import RecordReader
from app.store.reading.run_log_streams import RunLogReader
from app.store.reading.webhook_log import WebhookLogReader
from app.store.records.tombstones import TombstoneStore
from app.store.schedules.triggers import TriggerStore
from app.store.schemas.schemas import SchemaStore


def build_reading_services(shared: Shared, runs: RunService, settings: Settings) -> ReadingServices:
    """Build what reads records, logs, erasures, daemons and the state of it all."""
    erasures, entries = ErasureStore(shared.engine), AuditReader(shared.engine)
    silence_seconds = max(settings.daemon_silence_seconds, settings.deaf_seconds)
    fleet = FleetReader(shared.engine, shared.daemons, silence_seconds=silence_seconds)
    return ReadingServices(
        records=RecordService(
            list_records=RecordReader(shared.engine).list,
            read_log=LogReader(shared.engine).read,
            restore_records=TombstoneStore(shared.engine).restore,
            accounts=shared.accounts,
            erase=erasures.create_of_resource,
        ),
        exports=ExportService(
            ExportReader(shared.engine), SchemaStore(shared.engine).read, shared.accounts, shared.clock
        ),
        logs=LogService(_list_log_sources(shared), shared.clock),
        audit=AuditService(entries=entries, list_entries=entries.list),
        list_erasures=erasures.list,
        find_erasure=erasures.get,
        daemons=DaemonService(shared.daemons.get, shared.daemons.list),
        fleet=FleetStatus(fleet.read, fleet.list_targets, shared.dispatcher.look_at, shared.clock),
        metrics_token=settings.metrics_token,
        diagnosis=_build_diagnosis(shared, runs, settings, silence_seconds),
        health=HealthService(
            look_at_store=lambda: state_of(shared.engine),
            others={"redis": shared.dispatcher.is_reachable},
            count_live=partial(shared.daemons.count_live_by_group, within_seconds=silence_seconds),
            read_failing_duties=partial(shared.daemons.read_failing_duties, within_seconds=silence_seconds),
            count_troubled_destinations=DestinationHealthStore(shared.engine, shared.clock).count_troubled,
        ),
        row_version=RowVersions(shared.engine).of,
        embeddings=EmbeddedIntegrationStore(shared.engine, shared.cipher).of,
    )


def _build_diagnosis(shared: Shared, runs: RunService, settings: Settings, silence_seconds: float) -> RunDiagnosis:
    facts = RunFactStore(shared.engine, shared.daemons, settings, silence_seconds=silence_seconds)
    return RunDiagnosis(
        runs=runs, read_facts=facts.of, is_broker_reachable=shared.dispatcher.is_reachable, clock=shared.clock
    )


def _list_log_sources(shared: Shared) -> Mapping[LogType, LogSource]:
    of_runs = ("sync_job_run_id", "sync_job_id", "sync_job_run_event", "integrated_account_id", "integration")
    runs = LogSource(read=RunLogReader(shared.engine).read, filters=frozenset({*of_runs, "webhook_id"}))
    return {
        LogType.TRIGGERS: LogSource(
            read=TriggerStore(shared.engine).list_occurrences,
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
            read=DirectCallStore(shared.engine).list,
            filters=frozenset({"id", "integrated_account_id", "resource", "method", "request_type"}),
        ),
    }
