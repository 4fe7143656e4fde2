"""What the API's views call."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

import flask

from app.engine.integrations.embedding import Embeddings
from app.engine.objects.accounts import Erasure
from app.engine.objects.environments import ApiToken, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.accounts.accounts import AccountService
from app.services.accounts.budgets import AccountBudgets
from app.services.accounts.deletion import AccountDeletion, BulkDeletion
from app.services.accounts.refreshing import Refreshing
from app.services.accounts.tenants import TenantService
from app.services.accounts.tokens import AccountToken, AccountTokens
from app.services.calls.call_log import CallLog
from app.services.calls.custom import CustomCalls
from app.services.calls.direct import DirectCalls
from app.services.calls.request_limits import RequestLimits
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
from app.services.dashboard.services import DashboardServices
from app.services.destinations.datastores import DatastoreService
from app.services.destinations.destinations import DestinationService
from app.services.destinations.verifying import DestinationVerification
from app.services.diagnosis.fleet import FleetStatus
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.health import HealthService
from app.services.notifications.destinations import NotificationDestinationService
from app.services.notifications.incidents import IncidentService
from app.services.notifications.rules import NotificationRuleService
from app.services.reading.audit import AuditService
from app.services.reading.exports import ExportService
from app.services.reading.logs import LogService
from app.services.reading.records import RecordService
from app.services.runs.runs import RunService, RunWaits
from app.services.schedules.triggers import TriggerService
from app.services.schemas.schemas import SchemaService
from app.services.unified.methods import MappingService
from app.services.unified.models import InstalledModelService, UnifiedModelService
from app.services.webhooks.deliveries import DeliveryService
from app.services.webhooks.webhooks import WebhookService

_KEY = "ferryman"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """What calls the APIs of accounts, and what lists what may be called."""

    direct: DirectCalls
    custom: CustomCalls
    offers: Offers
    log: CallLog


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedServices:
    """What keeps unified models and their mappings."""

    models: UnifiedModelService
    installed_models: InstalledModelService
    base_mappings: MappingService
    environment_mappings: MappingService


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialServices:
    """What issues, renews and masks credentials of accounts."""

    tokens: AccountTokens
    refreshing: Refreshing
    shown_contexts: ShownContexts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingServices:
    """What reads what daemons have written, and how they are."""

    records: RecordService
    exports: ExportService
    logs: LogService
    audit: AuditService
    list_erasures: Callable[[EnvironmentId, ListFilters], Page[Erasure]]
    find_erasure: Callable[[EnvironmentId, str], Erasure | None]
    daemons: DaemonService
    fleet: FleetStatus
    metrics_token: str = field(repr=False)
    """Empty: metrics are not served."""
    diagnosis: RunDiagnosis
    health: HealthService
    row_version: Callable[[str, EnvironmentId, Mapping[str, str]], RowVersion | None]
    """Returns the version of the one thing of a kind that has these values; None when there is none."""
    embeddings: Callable[[EnvironmentId, Collection[str]], Embeddings]
    """Returns integrations as accounts and installations embed them, without those that do not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingServices:
    """What keeps where records land, and with which columns."""

    datastores: DatastoreService
    destinations: DestinationService
    verification: DestinationVerification
    schemas: SchemaService


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationServices:
    """What keeps whom to notify of what."""

    destinations: NotificationDestinationService
    rules: NotificationRuleService
    incidents: IncidentService


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """The services of an API process."""

    runs: RunService
    run_waits: RunWaits
    budgets: AccountBudgets
    triggers: TriggerService
    jobs: JobService
    templates: TemplateService
    states: StateService
    integrations: IntegrationService
    key_changes: KeyChanges
    known_names: KnownNames
    installed_integrations: EnvironmentIntegrationService
    accounts: AccountService
    account_deletion: AccountDeletion
    bulk_deletion: BulkDeletion
    tenants: TenantService
    webhooks: WebhookService
    deliveries: DeliveryService
    landing: LandingServices
    notifications: NotificationServices
    tokens: TokenService
    environments: EnvironmentService
    request_limits: RequestLimits
    calls: CallServices
    unified: UnifiedServices
    credentials: CredentialServices
    reading: ReadingServices
    dashboard: DashboardServices
    close: Callable[[], None]
    """Closes connections, once no request is under way."""


def attach(app: flask.Flask, services: ApiServices) -> None:
    """Attach its services to an application."""
    app.extensions[_KEY] = services


def services() -> ApiServices:
    """Return the services of the request's application."""
    return services_of(flask.current_app)


def services_of(app: flask.Flask) -> ApiServices:
    """Return the services that were attached to an application."""
    return cast("ApiServices", app.extensions[_KEY])


def enter(token: ApiToken) -> None:
    """Make the request act in its token's environment."""
    flask.g.environment_id, flask.g.token = token.environment_id, token


def enter_for_account(token: AccountToken) -> None:
    """Make the request act for one account, in that account's environment."""
    flask.g.environment_id, flask.g.account_id = token.environment_id, token.account_id


def own_account() -> str | None:
    """Return the account that the request acts for; None for the holder of an API token."""
    return cast("str | None", flask.g.get("account_id"))


def environment() -> EnvironmentId:
    """Return the environment that the request acts in."""
    return cast("EnvironmentId", flask.g.environment_id)


def holder() -> ApiToken:
    """Return the token that authenticates the request."""
    return cast("ApiToken", flask.g.token)
