"""Build an API process's services."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from app.api.resources.services import ApiServices
from app.bootstrap.limits import build_budget_desk, build_call_limits, build_request_limits
from app.bootstrap.shared import REAL, Outside, Shared, build_run_drafts, choose_budgets
from app.engine.logs.entries import LogType
from app.services.accounts.accounts import AccountService
from app.services.accounts.budgets import AccountBudgets
from app.services.accounts.deletion import AccountDeletion, BulkDeletion
from app.services.accounts.origin_approval import OriginApproval
from app.services.accounts.refreshing import Refreshing
from app.services.accounts.tenants import TenantService
from app.services.accounts.tokens import AccountTokens
from app.services.calls.accounts import CalledAccounts
from app.services.calls.call_log import CallLog
from app.services.calls.custom import CustomCalls
from app.services.calls.direct import DirectCalls
from app.services.catalog.environment_integrations import EnvironmentIntegrationService
from app.services.catalog.environments import EnvironmentService
from app.services.catalog.integrations import IntegrationService
from app.services.catalog.jobs import JobService
from app.services.catalog.key_changes import KeyChanges
from app.services.catalog.known_names import KnownNames
from app.services.catalog.offers import Offers
from app.services.catalog.states import StateService
from app.services.catalog.templates import TemplateService
from app.services.catalog.tokens import TokenService
from app.services.contexts.account_configs import ShownContexts
from app.services.diagnosis.fleet import FleetStatus
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.health import HealthService
from app.services.maintenance.key_rotation import KeyRotation
from app.services.ports import Source
from app.services.reading.logs import LogService, LogSource
from app.services.reading.records import RecordService
from app.services.runs.drafts import RunDrafts
from app.services.runs.dry_runs import DryRuns
from app.services.runs.resumption import Resumption
from app.services.runs.runs import RunService
from app.services.runs.waits import RunWaits
from app.services.schedules.triggers import TriggerService
from app.services.schemas.schemas import SchemaService
from app.services.unified.methods import MappingLayer, MappingService
from app.services.unified.models import InstalledModelService, UnifiedModelService
from app.services.webhooks.deliveries import DeliveryService
from app.services.webhooks.webhooks import WebhookService
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.store.accounts.deleted import DeletedAccounts
from app.store.accounts.tenants import TenantStore
from app.store.catalog.embedded_integrations import EmbeddedIntegrationStore
from app.store.catalog.environments import EnvironmentStore
from app.store.catalog.jobs import JobStore
from app.store.catalog.states import StateStore
from app.store.catalog.templates import TemplateStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.unified_models import EnvironmentUnifiedModelStore, MappingStore
from app.store.db.database import state_of
from app.store.db.row_versions import RowVersions
from app.store.deliveries.shown import WebhookDeliveryStore
from app.store.maintenance.erasures import ErasureStore
from app.store.maintenance.fleet import FleetReader
from app.store.maintenance.parked_units import ParkedUnitStore
from app.store.maintenance.wait_facts import RunFactStore
from app.store.reading.account_log import LogReader
from app.store.reading.direct_calls import DirectCallStore
from app.store.reading.records import RecordReader
from app.store.reading.run_log import RunLogReader
from app.store.reading.webhook_log import WebhookLogReader
from app.store.records.keys import RecordKeyStore
from app.store.records.tombstones import TombstoneStore
from app.store.runs.moves import RunMoves
from app.store.runs.outbox import OutboxStore
from app.store.runs.recounts import RecountStore
from app.store.schedules.triggers import TriggerStore
from app.store.schemas.shown import ShownSchemaStore
from app.store.secrets.encryption import TokenSeal
from app.store.secrets.sealed_rows import SealedRows


def build_api_services(settings: Settings, outside: Outside = REAL) -> ApiServices:
    """Build an API process's services."""
    shared = Shared(settings, outside)
    jobs = JobStore(shared.engine)
    job_service = JobService(jobs, shared.integrations, shared.unified)
    drafts = build_run_drafts(shared, settings)
    source = outside.source or HttpSource(settings, choose_budgets(settings), shared.build_token_cache())
    called = CalledAccounts(
        accounts=shared.accounts, integrations=shared.effective_integrations, limits=build_call_limits(settings)
    )
    accounts = AccountService(
        shared.accounts, shared.integrations, shared.effective_integrations, shared.installed_integrations
    )
    installed, calls = EnvironmentUnifiedModelStore(shared.engine), DirectCallStore(shared.engine)
    deliveries = DeliveryService(
        deliveries=WebhookDeliveryStore(shared.engine), webhooks=shared.webhooks, dispatcher=shared.dispatcher
    )
    account_deletion = AccountDeletion(
        shared.accounts, DeletedAccounts(shared.engine), erase_after_seconds=settings.erase_after
    )
    account_budgets = AccountBudgets(
        accounts=accounts,
        desk=build_budget_desk(settings),
        parked=ParkedUnitStore(shared.engine),
        dispatcher=shared.dispatcher,
    )
    runs = _build_run_service(shared, drafts, _build_dry_runs(shared, source, settings), account_budgets)
    return ApiServices(
        runs=runs,
        run_waits=RunWaits(runs),
        budgets=account_budgets,
        diagnosis=_build_diagnosis(shared, runs, settings),
        triggers=TriggerService(TriggerStore(shared.engine), drafts, shared.clock),
        jobs=job_service,
        templates=TemplateService(TemplateStore(shared.engine), job_service),
        states=StateService(StateStore(shared.engine)),
        integrations=IntegrationService(shared.integrations),
        key_changes=KeyChanges(RecordKeyStore(shared.engine).of, shared.effective_integrations, shared.accounts),
        known_names=KnownNames(shared.integrations, shared.effective_integrations, shared.accounts),
        installed_integrations=EnvironmentIntegrationService(shared.installed_integrations, shared.integrations),
        accounts=accounts,
        account_deletion=account_deletion,
        bulk_deletion=BulkDeletion(shared.accounts, account_deletion),
        read_embeddings=EmbeddedIntegrationStore(shared.engine, shared.cipher).of,
        tenants=TenantService(TenantStore(shared.engine)),
        account_tokens=AccountTokens(shared.accounts, TokenSeal(shared.cipher), shared.clock),
        refreshing=Refreshing(
            accounts=shared.accounts, integrations=shared.effective_integrations, keeper=shared.credentials
        ),
        shown_contexts=ShownContexts(shared.effective_integrations),
        webhooks=WebhookService(shared.webhooks, shared.sender.send_test, wake=deliveries.wake),
        deliveries=deliveries,
        records=RecordService(
            list_records=RecordReader(shared.engine).list,
            read_log=LogReader(shared.engine).read,
            restore_records=TombstoneStore(shared.engine).restore,
            accounts=shared.accounts,
            erasures=ErasureStore(shared.engine),
        ),
        erasures=ErasureStore(shared.engine),
        schemas=SchemaService(ShownSchemaStore(shared.engine), shared.clock),
        daemons=DaemonService(shared.daemons),
        fleet=_build_fleet_status(shared, settings),
        metrics_token=settings.metrics_token,
        tokens=TokenService(TokenStore(shared.engine)),
        environments=EnvironmentService(EnvironmentStore(shared.engine)),
        request_limits=build_request_limits(settings),
        keys=KeyRotation(
            keys=shared.keys, maker=shared.cipher, rows=SealedRows(shared.engine, shared.cipher), pause=time.sleep
        ),
        origin_approval=OriginApproval(shared.accounts, shared.effective_integrations),
        direct=DirectCalls(
            called=called,
            unified=shared.unified,
            source=source,
            seal=TokenSeal(shared.cipher),
            timeout_seconds=settings.direct_call_seconds,
        ),
        custom=CustomCalls(called=called, source=source, timeout_seconds=settings.direct_call_seconds),
        offers=Offers(
            accounts=shared.accounts,
            integrations=shared.effective_integrations,
            names=shared.integrations,
            models=shared.unified_models.mapped,
        ),
        call_log=CallLog(calls.add),
        logs=_build_log_service(shared, calls),
        unified_models=UnifiedModelService(shared.unified_models),
        installed_models=InstalledModelService(installed, shared.unified_models),
        unified_mappings=MappingService(
            MappingStore(shared.engine, MappingLayer.BASE), shared.unified_models, shared.integrations
        ),
        environment_mappings=MappingService(
            MappingStore(shared.engine, MappingLayer.ENVIRONMENT),
            shared.unified_models,
            shared.integrations,
            installed,
        ),
        health=HealthService(
            look_at_store=lambda: state_of(shared.engine),
            others={"redis": shared.dispatcher.is_reachable},
            daemons=shared.daemons,
            silence_seconds=_silence_seconds(settings),
        ),
        row_versions=RowVersions(shared.engine),
        close=_build_close(source, shared.engine),
    )


def _build_close(source: Source, engine: Engine) -> Callable[[], None]:
    def close() -> None:
        source.close()
        engine.dispose()

    return close


def _build_dry_runs(shared: Shared, source: Source, settings: Settings) -> DryRuns:
    return DryRuns(
        contexts=shared.contexts,
        lower_bounds=shared.runs.lower_bounds,
        source=source,
        clock=shared.clock,
        timeout_seconds=settings.direct_call_seconds,
    )


def _build_fleet_status(shared: Shared, settings: Settings) -> FleetStatus:
    reader = FleetReader(shared.engine, shared.daemons, silence_seconds=_silence_seconds(settings))
    return FleetStatus(reader, shared.dispatcher.look_at, shared.clock)


def _silence_seconds(settings: Settings) -> float:
    """Return after how long without a report a daemon counts as gone."""
    return max(settings.daemon_silence_seconds, settings.deaf_seconds)


def _build_diagnosis(shared: Shared, runs: RunService, settings: Settings) -> RunDiagnosis:
    return RunDiagnosis(
        runs=runs,
        read_facts=RunFactStore(shared.engine, shared.daemons, silence_seconds=_silence_seconds(settings)).of,
        is_broker_reachable=shared.dispatcher.is_reachable,
        clock=shared.clock,
    )


def _build_run_service(shared: Shared, drafts: RunDrafts, dry_runs: DryRuns, waits: AccountBudgets) -> RunService:
    outbox = OutboxStore(shared.engine)
    resumption = Resumption(
        moves=RunMoves(shared.engine),
        end_wait=waits.let_go_on,
        outbox=outbox,
        dispatcher=shared.dispatcher,
        clock=shared.clock,
    )
    return RunService(
        runs=shared.runs,
        drafts=drafts,
        outbox=outbox,
        lifecycle=shared.lifecycle,
        resumption=resumption,
        dry_run=dry_runs.try_out,
        recount=RecountStore(shared.engine).recount,
        dispatcher=shared.dispatcher,
    )


def _build_log_service(shared: Shared, calls: DirectCallStore) -> LogService:
    """Build what reads the log."""
    return LogService(_list_log_sources(shared, calls), shared.clock)


def _list_log_sources(shared: Shared, calls: DirectCallStore) -> Mapping[LogType, LogSource]:
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
