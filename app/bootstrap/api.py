"""Build an API process's services."""

from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from app.api.resources.services import (
    ApiServices,
    CallServices,
    CredentialServices,
    ReadingServices,
    UnifiedServices,
)
from app.bootstrap.limits import build_budget_desk, build_call_limits, build_request_limits
from app.bootstrap.shared import REAL, Outside, Shared, build_run_drafts, choose_budgets
from app.engine.logs.entries import LogType
from app.services.accounts.accounts import AccountService
from app.services.accounts.budgets import AccountBudgets
from app.services.accounts.deletion import AccountDeletion, BulkDeletion
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
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.health import HealthService
from app.services.ports import Source
from app.services.reading.logs import LogService, LogSource
from app.services.reading.records import RecordService
from app.services.runs.drafts import RunDrafts
from app.services.runs.dry_runs import DryRuns
from app.services.runs.resumption import Resumption
from app.services.runs.runs import RunService
from app.services.runs.waits import RunWaits
from app.services.schedules.triggers import TriggerService
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
from app.store.catalog.jobs import JobStore, TemplateStore
from app.store.catalog.states import StateStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.unified_models import EnvironmentUnifiedModelStore, MappingStore
from app.store.db.database import state_of
from app.store.db.row_versions import RowVersions
from app.store.deliveries.shown import WebhookDeliveryStore
from app.store.maintenance.erasures import ErasureStore
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
from app.store.secrets.encryption import TokenSeal


def build_api_services(settings: Settings, outside: Outside = REAL) -> ApiServices:
    """Build an API process's services."""
    shared = Shared(settings, outside)
    jobs = JobService(JobStore(shared.engine), shared.integrations.by_name, shared.unified)
    drafts = build_run_drafts(shared, settings)
    source = outside.source or HttpSource(settings, choose_budgets(settings), shared.build_token_cache())
    accounts, deletion = _build_accounts(shared), _build_account_deletion(shared, settings)
    budgets = _build_budgets(shared, accounts, settings)
    deliveries = _build_deliveries(shared)
    runs = _build_run_service(shared, drafts, _build_dry_runs(shared, source, settings), budgets)
    calls = DirectCallStore(shared.engine)
    return ApiServices(
        runs=runs,
        run_waits=RunWaits(runs),
        budgets=budgets,
        triggers=TriggerService(TriggerStore(shared.engine), drafts.draft, shared.clock),
        jobs=jobs,
        templates=TemplateService(TemplateStore(shared.engine), jobs),
        states=StateService(StateStore(shared.engine)),
        integrations=IntegrationService(shared.integrations),
        key_changes=KeyChanges(
            RecordKeyStore(shared.engine).of, shared.effective_integrations, shared.accounts.inspect
        ),
        known_names=KnownNames(shared.integrations.by_name, shared.effective_integrations, shared.accounts.inspect),
        installed_integrations=EnvironmentIntegrationService(
            shared.installed_integrations, shared.integrations.inspect
        ),
        accounts=accounts,
        account_deletion=deletion,
        bulk_deletion=BulkDeletion(shared.accounts, deletion),
        tenants=TenantService(TenantStore(shared.engine)),
        webhooks=WebhookService(shared.webhooks, shared.sender.send_test, wake=deliveries.wake),
        deliveries=deliveries,
        tokens=TokenService(TokenStore(shared.engine)),
        environments=EnvironmentService(EnvironmentStore(shared.engine)),
        request_limits=build_request_limits(settings),
        calls=_build_call_services(shared, source, calls, settings),
        unified=_build_unified_services(shared),
        credentials=_build_credential_services(shared),
        reading=_build_reading_services(shared, runs, calls, settings),
        close=_build_close(source, shared.engine),
    )


def _build_accounts(shared: Shared) -> AccountService:
    return AccountService(
        shared.accounts, shared.integrations.by_name, shared.effective_integrations, shared.installed_integrations
    )


def _build_account_deletion(shared: Shared, settings: Settings) -> AccountDeletion:
    deleted = DeletedAccounts(shared.engine)
    return AccountDeletion(
        shared.accounts,
        restore=deleted.restore,
        hasten=deleted.hasten,
        erase_after_seconds=settings.erase_after,
    )


def _build_budgets(shared: Shared, accounts: AccountService, settings: Settings) -> AccountBudgets:
    parked = ParkedUnitStore(shared.engine)
    return AccountBudgets(
        accounts=accounts,
        desk=build_budget_desk(settings),
        list_parked=parked.of_account,
        wake=parked.wake,
        dispatcher=shared.dispatcher,
    )


def _build_deliveries(shared: Shared) -> DeliveryService:
    return DeliveryService(
        deliveries=WebhookDeliveryStore(shared.engine), webhooks=shared.webhooks, dispatcher=shared.dispatcher
    )


def _build_call_services(shared: Shared, source: Source, calls: DirectCallStore, settings: Settings) -> CallServices:
    called = CalledAccounts(
        accounts=shared.accounts,
        note_origins=shared.accounts.note_origins,
        integrations=shared.effective_integrations,
        limits=build_call_limits(settings),
    )
    return CallServices(
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
            find_integration=shared.integrations.by_name,
            models=shared.unified_models.mapped,
        ),
        log=CallLog(calls.add),
    )


def _build_unified_services(shared: Shared) -> UnifiedServices:
    models, find_integration = shared.unified_models, shared.integrations.by_name
    installed = EnvironmentUnifiedModelStore(shared.engine)
    base, environment = (MappingStore(shared.engine, layer) for layer in (MappingLayer.BASE, MappingLayer.ENVIRONMENT))
    return UnifiedServices(
        models=UnifiedModelService(models),
        installed_models=InstalledModelService(installed, models),
        base_mappings=MappingService(base, models, find_integration),
        environment_mappings=MappingService(environment, models, find_integration, installed),
    )


def _build_credential_services(shared: Shared) -> CredentialServices:
    return CredentialServices(
        tokens=AccountTokens(shared.accounts, TokenSeal(shared.cipher), shared.clock),
        refreshing=Refreshing(
            accounts=shared.accounts,
            integrations=shared.effective_integrations,
            renew=shared.credentials.renew,
            refuse=shared.credentials.refuse,
        ),
        shown_contexts=ShownContexts(shared.effective_integrations),
    )


def _build_reading_services(
    shared: Shared, runs: RunService, calls: DirectCallStore, settings: Settings
) -> ReadingServices:
    erasures = ErasureStore(shared.engine)
    silence_seconds = max(settings.daemon_silence_seconds, settings.deaf_seconds)
    return ReadingServices(
        records=RecordService(
            list_records=RecordReader(shared.engine).list,
            read_log=LogReader(shared.engine).read,
            restore_records=TombstoneStore(shared.engine).restore,
            accounts=shared.accounts,
            erase=erasures.create_of_resource,
        ),
        logs=LogService(_list_log_sources(shared, calls), shared.clock),
        list_erasures=erasures.list,
        find_erasure=erasures.get,
        daemons=DaemonService(shared.daemons),
        diagnosis=RunDiagnosis(
            runs=runs,
            read_facts=RunFactStore(shared.engine, shared.daemons, silence_seconds=silence_seconds).of,
            is_broker_reachable=shared.dispatcher.is_reachable,
            clock=shared.clock,
        ),
        health=HealthService(
            look_at_store=lambda: state_of(shared.engine),
            others={"redis": shared.dispatcher.is_reachable},
            daemons=shared.daemons,
            silence_seconds=silence_seconds,
        ),
        row_version=RowVersions(shared.engine).of,
        embeddings=EmbeddedIntegrationStore(shared.engine, shared.cipher).of,
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
