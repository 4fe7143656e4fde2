"""Build an API process's services."""

import time
from collections.abc import Callable

from sqlalchemy import Engine

from app.api.services import ApiServices
from app.bootstrap.limits import budget_desk, call_limits, request_limits
from app.bootstrap.logs import log_service
from app.bootstrap.shared import REAL, ClosableSource, Outside, Shared, budgets, run_drafts
from app.services.account_deletion import AccountDeletion
from app.services.account_tokens import AccountTokens
from app.services.accounts import AccountService
from app.services.budgets.account_budgets import AccountBudgets
from app.services.call_log import CallLog
from app.services.called_accounts import CalledAccounts
from app.services.catalog.bulk_deletion import BulkDeletion
from app.services.catalog.tenants import TenantService
from app.services.custom_calls import CustomCalls
from app.services.daemons import DaemonService
from app.services.deliveries import DeliveryService
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.direct_calls import DirectCalls
from app.services.dry_runs import DryRuns, PreviewingSource
from app.services.environment_integrations import EnvironmentIntegrationService
from app.services.environments import EnvironmentService
from app.services.health import HealthService
from app.services.integrations import IntegrationService
from app.services.jobs import JobService
from app.services.key_changes import KeyChanges
from app.services.key_rotation import KeyRotation
from app.services.known_names import KnownNames
from app.services.offers import Offers
from app.services.origin_approval import OriginApproval
from app.services.own_account import OwnAccount
from app.services.records import RecordService
from app.services.refreshing import Refreshing
from app.services.resuming import Resumption
from app.services.run_drafts import RunDrafts
from app.services.run_states import StateService
from app.services.run_waits import RunWaits
from app.services.runs import RunService
from app.services.shown_contexts import ShownContexts
from app.services.templates import TemplateService
from app.services.tokens import TokenService
from app.services.triggers import TriggerService
from app.services.unified_methods import MappingLayer, MappingService
from app.services.unified_models import InstalledModelService, UnifiedModelService
from app.services.verifying import Verifier
from app.services.webhooks import WebhookService
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.store.database import state_of
from app.store.deleted_accounts import DeletedAccounts
from app.store.direct_calls import DirectCallStore
from app.store.embedded_integrations import EmbeddedIntegrationStore
from app.store.encryption import TokenSeal
from app.store.environments import EnvironmentStore
from app.store.erasures import ErasureStore
from app.store.jobs import JobStore
from app.store.log_read import LogReader
from app.store.outbox import OutboxStore
from app.store.record_keys import RecordKeyStore
from app.store.records_read import RecordReader
from app.store.recounts import RecountStore
from app.store.row_versions import RowVersions
from app.store.run_moves import RunMoves
from app.store.run_states import StateStore
from app.store.sealed_rows import SealedRows
from app.store.templates import TemplateStore
from app.store.tenants import TenantStore
from app.store.tokens import TokenStore
from app.store.tombstones import TombstoneStore
from app.store.triggers import TriggerStore
from app.store.unified_models import EnvironmentUnifiedModelStore, MappingStore
from app.store.waits.facts import RunFactStore
from app.store.waits.parked import ParkedUnitStore
from app.store.webhook_deliveries import WebhookDeliveryStore


def api_services(settings: Settings, outside: Outside = REAL) -> ApiServices:
    """Build an API process's services."""
    shared = Shared(settings, outside)
    jobs = JobStore(shared.engine)
    job_service = JobService(jobs, shared.integrations, shared.unified)
    drafts = run_drafts(shared, settings)
    source = outside.source or HttpSource(settings, budgets(settings), shared.kept_credentials())
    called = CalledAccounts(
        accounts=shared.accounts, integrations=shared.effective_integrations, limits=call_limits(settings)
    )
    accounts = AccountService(
        shared.accounts, shared.integrations, shared.effective_integrations, shared.installed_integrations
    )
    installed, calls = EnvironmentUnifiedModelStore(shared.engine), DirectCallStore(shared.engine)
    deliveries = DeliveryService(
        deliveries=WebhookDeliveryStore(shared.engine), webhooks=shared.webhooks, bell=shared.bell
    )
    account_deletion = AccountDeletion(
        shared.accounts, DeletedAccounts(shared.engine), erase_after_seconds=settings.erase_after
    )
    account_budgets = AccountBudgets(
        accounts=accounts, desk=budget_desk(settings), parked=ParkedUnitStore(shared.engine), bell=shared.bell
    )
    runs = _run_service(shared, drafts, _dry_runs(shared, source, settings), account_budgets)
    return ApiServices(
        runs=runs,
        run_waits=RunWaits(runs),
        budgets=account_budgets,
        diagnosis=_diagnosis(shared, runs, settings),
        triggers=TriggerService(TriggerStore(shared.engine), drafts, shared.clock),
        jobs=job_service,
        templates=TemplateService(TemplateStore(shared.engine), job_service),
        states=StateService(StateStore(shared.engine)),
        integrations=IntegrationService(shared.integrations),
        key_changes=KeyChanges(RecordKeyStore(shared.engine), shared.effective_integrations, shared.accounts),
        known_names=KnownNames(shared.integrations, shared.effective_integrations, shared.accounts),
        installed_integrations=EnvironmentIntegrationService(shared.installed_integrations, shared.integrations),
        accounts=accounts,
        account_deletion=account_deletion,
        bulk_deletion=BulkDeletion(shared.accounts, account_deletion),
        own_account=OwnAccount(accounts, shared.effective_integrations),
        embeddings=EmbeddedIntegrationStore(shared.engine, shared.cipher),
        tenants=TenantService(TenantStore(shared.engine)),
        account_tokens=AccountTokens(shared.accounts, TokenSeal(shared.cipher), shared.clock),
        refreshing=Refreshing(
            accounts=shared.accounts, integrations=shared.effective_integrations, keeper=shared.credentials
        ),
        shown_contexts=ShownContexts(shared.effective_integrations),
        webhooks=WebhookService(shared.webhooks, shared.sender, wake=deliveries.wake),
        deliveries=deliveries,
        records=RecordService(
            records=RecordReader(shared.engine),
            log=LogReader(shared.engine),
            tombstones=TombstoneStore(shared.engine),
            accounts=shared.accounts,
            erasures=ErasureStore(shared.engine),
        ),
        erasures=ErasureStore(shared.engine),
        daemons=DaemonService(shared.daemons),
        tokens=TokenService(TokenStore(shared.engine)),
        environments=EnvironmentService(EnvironmentStore(shared.engine)),
        request_limits=request_limits(settings),
        keys=KeyRotation(
            keys=shared.keys, maker=shared.cipher, rows=SealedRows(shared.engine, shared.cipher), pause=time.sleep
        ),
        origin_approval=OriginApproval(shared.accounts, shared.effective_integrations, shared.effective_integrations),
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
            models=shared.unified_models,
        ),
        call_log=CallLog(calls),
        logs=log_service(shared, calls),
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
            others={"redis": shared.bell.is_reachable},
            daemons=shared.daemons,
            silence_seconds=max(settings.daemon_silence_seconds, settings.deaf_seconds),
        ),
        row_versions=RowVersions(shared.engine),
        close=_closing(source, shared.engine),
    )


def _closing(source: ClosableSource, engine: Engine) -> Callable[[], None]:
    def close() -> None:
        source.close()
        engine.dispose()

    return close


def _dry_runs(shared: Shared, source: PreviewingSource, settings: Settings) -> DryRuns:
    return DryRuns(
        contexts=shared.contexts,
        previous=shared.runs,
        source=source,
        clock=shared.clock,
        timeout_seconds=settings.direct_call_seconds,
    )


def _diagnosis(shared: Shared, runs: RunService, settings: Settings) -> RunDiagnosis:
    silence_seconds = max(settings.daemon_silence_seconds, settings.deaf_seconds)
    return RunDiagnosis(
        runs=runs,
        facts=RunFactStore(shared.engine, shared.daemons, silence_seconds=silence_seconds),
        is_broker_reachable=shared.bell.is_reachable,
        clock=shared.clock,
    )


def _run_service(shared: Shared, drafts: RunDrafts, dry_runs: DryRuns, waits: AccountBudgets) -> RunService:
    outbox = OutboxStore(shared.engine)
    resumption = Resumption(
        runs=RunMoves(shared.engine), waits=waits, outbox=outbox, bell=shared.bell, clock=shared.clock
    )
    return RunService(
        runs=shared.runs,
        drafts=drafts,
        outbox=outbox,
        tracking=shared.tracking,
        resumption=resumption,
        dry_runs=dry_runs,
        verifier=Verifier(RecountStore(shared.engine)),
        bell=shared.bell,
    )
