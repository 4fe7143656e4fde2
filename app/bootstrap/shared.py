"""What API processes and daemons are both built on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from app.bootstrap.writers import build_writers
from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.destinations.notifications.sender import NotificationSender, OperatorMail
from app.destinations.webhook_sender import HttpWebhookSender
from app.limits import redis_budgets
from app.limits.redis_budgets import RedisBudgets
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.accounts.credentials import CredentialService
from app.services.contexts.account_configs import ShownContexts
from app.services.contexts.context import RunContexts
from app.services.maintenance.duties import Start, start_thread
from app.services.ports import BudgetStore, Dispatcher, SendEvent, Source
from app.services.runs.drafts import RunDrafts
from app.services.runs.lifecycle import RunLifecycle
from app.services.unified.mappings import UnifiedMappings
from app.settings import Settings
from app.sources.credentials.token_cache import TokenCache
from app.sources.credentials.token_endpoint import HttpTokenEndpoint
from app.sources.limiter.local_budgets import LocalBudgets
from app.store.accounts.accounts import AccountStore
from app.store.accounts.credentials import CredentialStore
from app.store.catalog.environment_integrations import EffectiveIntegrations, EnvironmentIntegrationStore
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.unified_models import UnifiedModelStore
from app.store.catalog.webhooks import WebhookStore
from app.store.db.database import connect
from app.store.destinations.datastores import DatastoreStore
from app.store.destinations.destinations import DestinationStore
from app.store.maintenance.daemons import DaemonStore
from app.store.runs.moves import RunMoves
from app.store.runs.references import RunReferenceStore
from app.store.runs.rows import ContextRowStore
from app.store.runs.runs import RunStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time as aware UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a process reaches beyond itself; None is the real thing, made from the settings."""

    engine: Engine | None = None
    dispatcher: Dispatcher | None = None
    source: Source | None = None
    send: SendEvent | None = None
    start_duty: Start = start_thread


REAL = Outside()


class Shared:
    """What API processes and daemons are both built on; nothing connects before its first use."""

    def __init__(self, settings: Settings, outside: Outside = REAL) -> None:
        self.clock = SystemClock()
        self.engine = outside.engine or _connect(settings)
        self.keys = KeyStore(self.engine)
        self.cipher = cipher = Cipher(settings.encryption_key, self.keys)
        self.dispatcher = outside.dispatcher or CeleryDispatcher(
            build_publisher(settings.broker_url, timeout_seconds=settings.publish_timeout_seconds)
        )
        self.runs = RunStore(self.engine)
        self.accounts = AccountStore(self.engine, cipher)
        self.references = RunReferenceStore(self.engine, cipher)
        self.integrations = IntegrationStore(self.engine, cipher)
        self.installed_integrations = EnvironmentIntegrationStore(self.engine, cipher)
        self.effective_integrations = EffectiveIntegrations(self.engine, cipher)
        self.webhooks = WebhookStore(self.engine, cipher)
        self.daemons = DaemonStore(self.engine)
        self.datastores = DatastoreStore(self.engine, cipher)
        self.destinations = DestinationStore(self.engine)
        self.unified_models = UnifiedModelStore(self.engine)
        self.unified = UnifiedMappings(self.unified_models.read_layers)
        self.contexts = RunContexts(
            read_rows=ContextRowStore(self.engine, cipher).read,
            accounts=self.accounts,
            record_origins=self.accounts.record_origins,
            integrations=self.effective_integrations,
            unified=self.unified,
        )
        self.lifecycle = RunLifecycle(
            moves=RunMoves(self.engine),
            load_run=self.runs.load,
            contexts=self.contexts,
            dispatcher=self.dispatcher,
            clock=self.clock,
            settings=settings,
        )
        self._build_edges(settings)

    def _build_edges(self, settings: Settings) -> None:
        allowed = AllowedNetworks.parse(settings.allowed_networks)
        self.writers = build_writers(settings, allowed, self.clock)
        self.sender = HttpWebhookSender(
            loop=LoopThread("ferryman-webhooks"),
            clock=self.clock,
            timeout_seconds=settings.delivery_timeout_seconds,
            allowed=allowed,
        )
        self.notifier = NotificationSender(
            loop=LoopThread("ferryman-notifications"),
            clock=self.clock,
            timeout_seconds=settings.delivery_timeout_seconds,
            allowed=allowed,
            operator_mail=OperatorMail(url=settings.smtp_url, sender=settings.smtp_from),
        )
        self.credentials = CredentialService(
            store=CredentialStore(self.engine, self.cipher),
            ask_for_token=HttpTokenEndpoint(loop=LoopThread("ferryman-tokens"), allowed=allowed).request_token,
            clock=self.clock,
            pause=time.sleep,
        )

    def build_token_cache(self) -> TokenCache:
        """Return what keeps accounts' tokens fresh in this process."""
        return TokenCache(self.credentials, self.clock.now)


def choose_session_engine(settings: Settings, engine: Engine) -> Engine:
    """Return the engine for sessions of one's own: the given one, unless it leads to a pooler."""
    if not settings.session_database_url:
        return engine
    return connect(settings.session_database_url, pool_size=1, is_pooled=False)


def _connect(settings: Settings) -> Engine:
    return connect(
        settings.database_url,
        pool_size=settings.database_pool_size,
        is_pooled=bool(settings.session_database_url),
        prepares=bool(settings.prepare_statements),
    )


def build_run_drafts(shared: Shared, settings: Settings) -> RunDrafts:
    """Build what turns requests for runs into drafts, for the API and for triggers."""
    return RunDrafts(
        read_references=shared.references.read,
        webhooks=shared.webhooks,
        unified=shared.unified,
        shown_contexts=ShownContexts(shared.effective_integrations),
        default_group=settings.default_group,
        default_overlap_seconds=settings.overlap_seconds,
    )


def choose_budgets(settings: Settings) -> Callable[[], BudgetStore]:
    """Choose where rate budgets are kept; with neither a Redis broker nor a Redis beside it they are not shared."""
    url = settings.budget_url or settings.broker_url
    if not url.startswith(("redis", "unix")):
        return LocalBudgets
    return lambda: RedisBudgets(redis_budgets.build_client(url), LocalBudgets)
