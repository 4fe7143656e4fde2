"""The only place that names concrete classes: build what a process needs out of its settings."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from app.api.services import ApiServices
from app.broker.bell import CeleryBell, publisher
from app.destinations.webhook_sender import HttpWebhookSender
from app.net.loop import LoopThread
from app.services.accounts import AccountService
from app.services.daemons import DaemonService
from app.services.delivering import DeliveryOutcomes, DeliveryWorker
from app.services.fetching import FetchWorker
from app.services.health import HealthService
from app.services.integrations import IntegrationService
from app.services.jobs import JobService
from app.services.records import RecordService
from app.services.run_context import RunContexts
from app.services.run_drafts import RunDrafts
from app.services.runs import RunService
from app.services.sweeping import Sweeper
from app.services.tokens import TokenService
from app.services.tracking import Tracking
from app.services.webhooks import WebhookService
from app.services.working import UnitWorker
from app.services.workplace import Workplace
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.store.accounts import AccountStore
from app.store.daemons import DaemonStore
from app.store.database import connect, is_reachable
from app.store.deliveries import DeliveryStore
from app.store.encryption import Cipher
from app.store.integrations import IntegrationStore
from app.store.jobs import JobStore
from app.store.leadership import Leadership
from app.store.outbox import OutboxStore
from app.store.pages import PageStore
from app.store.records_read import RecordReader
from app.store.run_moves import RunMoves
from app.store.runs import RunStore
from app.store.tokens import TokenStore
from app.store.units import UnitStore
from app.store.webhooks import WebhookStore


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Tell the time as aware UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonServices:
    """What a daemon's process works with."""

    settings: Settings
    tracking: Tracking
    worker: UnitWorker
    daemons: DaemonService
    sweeper: Sweeper
    leadership: Leadership
    stopping: threading.Event
    """Set once, when the daemon is told to go: slices then end after their page."""


def api_services(settings: Settings) -> ApiServices:
    """Build an API process's services; nothing connects before its first use."""
    clock = SystemClock()
    engine = connect(settings.database_url, pool_size=settings.database_pool_size)
    cipher = Cipher(settings.encryption_key)
    bell = CeleryBell(publisher(settings.broker_url, timeout_seconds=settings.publish_timeout_seconds))
    runs, jobs, daemons = RunStore(engine), JobStore(engine), DaemonStore(engine)
    accounts, integrations = AccountStore(engine, cipher), IntegrationStore(engine)
    webhooks = WebhookStore(engine, cipher)
    contexts = RunContexts(runs=runs, accounts=accounts, integrations=integrations)
    sender = HttpWebhookSender(
        loop=LoopThread("ferryman-http"), clock=clock, timeout_seconds=settings.delivery_timeout_seconds
    )
    return ApiServices(
        runs=RunService(
            runs=runs,
            drafts=RunDrafts(jobs=jobs, accounts=accounts, webhooks=webhooks, default_group=settings.default_group),
            outbox=OutboxStore(engine),
            tracking=Tracking(
                moves=RunMoves(engine), runs=runs, contexts=contexts, bell=bell, clock=clock, settings=settings
            ),
            bell=bell,
        ),
        jobs=JobService(jobs, integrations),
        integrations=IntegrationService(integrations),
        accounts=AccountService(accounts, integrations),
        webhooks=WebhookService(webhooks, sender),
        records=RecordService(RecordReader(engine), accounts),
        daemons=DaemonService(daemons),
        tokens=TokenService(TokenStore(engine)),
        health=HealthService(
            checks={"postgres": lambda: is_reachable(engine), "redis": bell.is_reachable}, daemons=daemons
        ),
    )


def daemon_services(settings: Settings) -> DaemonServices:
    """Build a daemon's services; nothing connects before its first use."""
    clock = SystemClock()
    engine = connect(settings.database_url, pool_size=settings.database_pool_size)
    cipher = Cipher(settings.encryption_key)
    stopping = threading.Event()
    loop = LoopThread("ferryman-http")
    bell = CeleryBell(publisher(settings.broker_url, timeout_seconds=settings.publish_timeout_seconds))
    runs, units, deliveries = RunStore(engine), UnitStore(engine), DeliveryStore(engine)
    contexts = RunContexts(runs=runs, accounts=AccountStore(engine, cipher), integrations=IntegrationStore(engine))
    tracking = Tracking(moves=RunMoves(engine), runs=runs, contexts=contexts, bell=bell, clock=clock, settings=settings)
    workplace = Workplace(clock=clock, settings=settings, bell=bell, is_stopping=stopping.is_set)
    fetching = FetchWorker(
        source=HttpSource(settings),
        leases=units,
        pages=PageStore(engine),
        backlog=deliveries,
        workplace=workplace,
    )
    delivering = DeliveryWorker(
        runs=runs,
        webhooks=WebhookStore(engine, cipher),
        queue=deliveries,
        leases=units,
        sender=HttpWebhookSender(loop=loop, clock=clock, timeout_seconds=settings.delivery_timeout_seconds),
        outcomes=DeliveryOutcomes(fail_run=tracking.fail, record_error=tracking.record_error),
        workplace=workplace,
    )
    return DaemonServices(
        settings=settings,
        tracking=tracking,
        worker=UnitWorker(
            units=units,
            contexts=contexts,
            fetching=fetching,
            delivering=delivering,
            tracking=tracking,
            workplace=workplace,
        ),
        daemons=DaemonService(DaemonStore(engine)),
        sweeper=Sweeper(
            units=units,
            runs=runs,
            messages=OutboxStore(engine),
            daemons=DaemonStore(engine),
            tracking=tracking,
            bell=bell,
            settings=settings,
        ),
        leadership=Leadership(engine),
        stopping=stopping,
    )
