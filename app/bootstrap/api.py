"""Build an API process's services."""

import time
from collections.abc import Callable
from functools import partial

from app.api.resources.services import (
    ApiServices,
    CallServices,
    CredentialServices,
    LandingServices,
    UnifiedServices,
)
from app.bootstrap.api_notifications import build_notification_services
from app.bootstrap.api_reading import build_reading_services
from app.bootstrap.dashboard import build_dashboard_services
from app.bootstrap.limits import build_budget_desk, build_call_limits, build_request_limits
from app.bootstrap.shared import REAL, Outside, Shared, build_run_drafts, choose_budgets
from app.services.accounts.accounts import AccountService
from app.services.accounts.budgets import AccountBudgets
from app.services.accounts.deletion import AccountDeletion, BulkDeletion
from app.services.accounts.refreshing import Refreshing
from app.services.accounts.tenants import TenantService
from app.services.accounts.tokens import AccountTokens
from app.services.calls.accounts import CalledAccounts, find_budget_key
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
from app.services.destinations.datastores import DatastoreRules, DatastoreService
from app.services.destinations.destinations import DestinationService
from app.services.destinations.verifying import DestinationVerification
from app.services.ports import Source
from app.services.runs.drafts import RunDrafts
from app.services.runs.dry_runs import DryRuns
from app.services.runs.resumption import Resumption
from app.services.runs.runs import RunService, RunWaits
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
from app.store.catalog.environments import EnvironmentStore
from app.store.catalog.jobs import JobStore, TemplateStore
from app.store.catalog.states import StateStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.unified_models import EnvironmentUnifiedModelStore, MappingStore
from app.store.db.audit_notes import AuditNotes
from app.store.deliveries.shown import WebhookDeliveryStore
from app.store.destinations.log import DestinationLog
from app.store.maintenance.parked_units import ParkedUnitStore
from app.store.reading.direct_calls import DirectCallStore
from app.store.records.keys import RecordKeyStore
from app.store.runs.moves import RunMoves
from app.store.runs.outbox import OutboxStore
from app.store.runs.recounts import RecountStore
from app.store.schedules.triggers import TriggerStore
from app.store.schemas.shown import ShownSchemaStore
from app.store.secrets.encryption import TokenSeal


def build_landing_services(shared: Shared, settings: Settings) -> LandingServices:
    """Build what keeps where records land, and with which columns."""
    rules = DatastoreRules(
        may_lack_credentials=bool(settings.ambient_credentials), has_directory=bool(settings.destination_directory)
    )
    datastores, destinations = shared.datastores, shared.destinations
    schemas = ShownSchemaStore(shared.engine)
    return LandingServices(
        datastores=DatastoreService(
            datastores, datastores.inspect, destinations.wake_datastore, writers=shared.writers, rules=rules
        ),
        destinations=DestinationService(
            destinations, datastores.inspect, shared.accounts.inspect, JobStore(shared.engine)
        ),
        verification=DestinationVerification(
            destinations, datastores, DestinationLog(shared.engine), shared.writers, time.monotonic
        ),
        schemas=SchemaService(schemas, schemas.list, schemas.update, shared.clock),
    )


def build_api_services(settings: Settings, outside: Outside = REAL) -> ApiServices:
    """Build an API process's services."""
    shared = Shared(settings, outside)
    jobs = JobService(JobStore(shared.engine), shared.integrations.find_by_name, shared.unified)
    drafts = build_run_drafts(shared, settings)
    source = outside.source or HttpSource(settings, choose_budgets(settings), shared.build_token_cache())
    accounts, deletion = _build_accounts(shared), _build_account_deletion(shared, settings)
    budgets, deliveries = _build_budgets(shared, accounts, settings), _build_deliveries(shared)
    runs = _build_run_service(shared, drafts, _build_dry_runs(shared, source, settings), budgets)
    reading = build_reading_services(shared, runs, settings)
    return ApiServices(
        runs=runs,
        run_waits=RunWaits(runs),
        budgets=budgets,
        triggers=TriggerService(TriggerStore(shared.engine), drafts.draft, shared.clock),
        jobs=jobs,
        templates=TemplateService(TemplateStore(shared.engine), jobs),
        states=StateService(StateStore(shared.engine)),
        integrations=_build_integrations(shared),
        key_changes=_build_key_changes(shared),
        known_names=_build_known_names(shared),
        installed_integrations=_build_installed_integrations(shared),
        accounts=accounts,
        account_deletion=deletion,
        bulk_deletion=BulkDeletion(shared.accounts, deletion),
        tenants=_build_tenants(shared),
        webhooks=WebhookService(shared.webhooks, shared.sender.send_test, wake=deliveries.wake),
        deliveries=deliveries,
        landing=build_landing_services(shared, settings),
        notifications=build_notification_services(shared, settings),
        tokens=TokenService(TokenStore(shared.engine)),
        environments=EnvironmentService(EnvironmentStore(shared.engine)),
        request_limits=build_request_limits(settings),
        calls=_build_call_services(shared, source, settings),
        unified=_build_unified_services(shared),
        credentials=_build_credential_services(shared),
        reading=reading,
        dashboard=build_dashboard_services(shared, runs, reading, settings),
        close=_build_close(source, shared),
    )


def _build_key_changes(shared: Shared) -> KeyChanges:
    return KeyChanges(RecordKeyStore(shared.engine).of, shared.effective_integrations, shared.accounts.inspect)


def _build_known_names(shared: Shared) -> KnownNames:
    return KnownNames(shared.integrations.find_by_name, shared.effective_integrations, shared.accounts.inspect)


def _build_tenants(shared: Shared) -> TenantService:
    tenants = TenantStore(shared.engine)
    return TenantService(tenants, tenants.create_all)


def _build_integrations(shared: Shared) -> IntegrationService:
    integrations = shared.integrations
    return IntegrationService(integrations, integrations.inspect, integrations.find_by_name)


def _build_installed_integrations(shared: Shared) -> EnvironmentIntegrationService:
    installed = shared.installed_integrations
    return EnvironmentIntegrationService(
        installed, shared.integrations.inspect, find=installed.of, install=installed.install
    )


def _build_accounts(shared: Shared) -> AccountService:
    return AccountService(
        shared.accounts, shared.integrations.find_by_name, shared.effective_integrations, shared.installed_integrations
    )


def _build_account_deletion(shared: Shared, settings: Settings) -> AccountDeletion:
    deleted = DeletedAccounts(shared.engine)
    return AccountDeletion(
        shared.accounts,
        restore=deleted.restore,
        hasten=deleted.make_due,
        erase_after_seconds=settings.erase_after,
    )


def _build_budgets(shared: Shared, accounts: AccountService, settings: Settings) -> AccountBudgets:
    parked = ParkedUnitStore(shared.engine)
    return AccountBudgets(
        accounts=accounts,
        find_key=partial(find_budget_key, integrations=shared.effective_integrations),
        desk=build_budget_desk(settings),
        list_parked=parked.of_account,
        wake=parked.wake,
        dispatcher=shared.dispatcher,
    )


def _build_deliveries(shared: Shared) -> DeliveryService:
    return DeliveryService(
        deliveries=WebhookDeliveryStore(shared.engine), webhooks=shared.webhooks, dispatcher=shared.dispatcher
    )


def _build_call_services(shared: Shared, source: Source, settings: Settings) -> CallServices:
    called = CalledAccounts(
        accounts=shared.accounts,
        record_origins=shared.accounts.record_origins,
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
            find_integration=shared.integrations.find_by_name,
            models=shared.unified_models.read_mapped_models,
        ),
        log=CallLog(DirectCallStore(shared.engine).add),
    )


def _build_unified_services(shared: Shared) -> UnifiedServices:
    models, find_integration = shared.unified_models, shared.integrations.find_by_name
    installed = EnvironmentUnifiedModelStore(shared.engine)
    base, environment = (MappingStore(shared.engine, layer) for layer in (MappingLayer.BASE, MappingLayer.ENVIRONMENT))
    return UnifiedServices(
        models=UnifiedModelService(models),
        installed_models=InstalledModelService(installed, models, installed.put),
        base_mappings=MappingService(base, models, find_integration),
        environment_mappings=MappingService(environment, models, find_integration, installed),
    )


def _build_credential_services(shared: Shared) -> CredentialServices:
    return CredentialServices(
        tokens=AccountTokens(
            shared.accounts, TokenSeal(shared.cipher), shared.clock, AuditNotes(shared.engine).note_issued_token
        ),
        refreshing=Refreshing(
            accounts=shared.accounts,
            integrations=shared.effective_integrations,
            renew=shared.credentials.renew,
            refuse=shared.credentials.refuse,
        ),
        shown_contexts=ShownContexts(shared.effective_integrations),
    )


def _build_close(source: Source, shared: Shared) -> Callable[[], None]:
    def close() -> None:
        source.close()
        shared.notifier.close()
        shared.engine.dispose()

    return close


def _build_dry_runs(shared: Shared, source: Source, settings: Settings) -> DryRuns:
    return DryRuns(
        contexts=shared.contexts,
        lower_bounds=shared.runs.read_lower_bounds,
        source=source,
        clock=shared.clock,
        timeout_seconds=settings.direct_call_seconds,
    )


def _build_run_service(shared: Shared, drafts: RunDrafts, dry_runs: DryRuns, waits: AccountBudgets) -> RunService:
    outbox = OutboxStore(shared.engine)
    resumption = Resumption(
        moves=RunMoves(shared.engine),
        end_wait=waits.end_wait,
        remove_message=outbox.remove,
        dispatcher=shared.dispatcher,
        clock=shared.clock,
    )
    return RunService(
        runs=shared.runs,
        drafts=drafts,
        remove_message=outbox.remove_soon,
        lifecycle=shared.lifecycle,
        resumption=resumption,
        dry_run=dry_runs.try_out,
        recount=RecountStore(shared.engine).recount,
        dispatcher=shared.dispatcher,
    )
