"""The only place that names concrete classes: build what a process needs out of its settings."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine

from app.api.services import ApiServices
from app.broker.bell import CeleryBell, publisher
from app.broker.pulses import CeleryPulses
from app.destinations.webhook_sender import HttpWebhookSender
from app.limits import redis_budgets
from app.limits.redis_budgets import RedisBudgets
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.accounts import AccountService
from app.services.batch_source import BatchSource
from app.services.credentials import CredentialService
from app.services.daemons import DaemonService
from app.services.deliveries import DeliveryService
from app.services.delivering import DeliveryOutcomes, DeliveryWorker
from app.services.direct_calls import DirectCalls
from app.services.dry_runs import DryRuns, PreviewingSource
from app.services.environment_integrations import EnvironmentIntegrationService
from app.services.fetching import FetchWorker
from app.services.firing import Firing
from app.services.health import HealthService
from app.services.hearing import Hearing
from app.services.integrations import IntegrationService
from app.services.jobs import JobService
from app.services.key_rotation import KeyRotation
from app.services.ports import BudgetStore, Source, WebhookSender
from app.services.records import RecordService
from app.services.resuming import Resumption
from app.services.retention import Retention
from app.services.roll_call import RollCall
from app.services.run_context import RunContexts
from app.services.run_drafts import RunDrafts
from app.services.run_states import StateService
from app.services.runs import RunService
from app.services.sweeping import Chore, Sweeper, TaskBell
from app.services.templates import TemplateService
from app.services.tokens import TokenService
from app.services.tracking import Tracking
from app.services.triggers import TriggerService
from app.services.turns import AccountTurns
from app.services.unified_mappings import UnifiedMappings
from app.services.unified_methods import MappingLayer, MappingService
from app.services.unified_models import InstalledModelService, UnifiedModelService
from app.services.unsticking import Unsticking
from app.services.verifying import Verifier
from app.services.webhooks import WebhookService
from app.services.working import UnitWorker
from app.services.workplace import Workplace
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.sources.kept_credentials import KeptCredentials
from app.sources.local_budgets import LocalBudgets
from app.sources.token_endpoint import HttpTokenEndpoint
from app.store.accounts import AccountStore
from app.store.credentials import CredentialStore
from app.store.daemons import DaemonStore
from app.store.database import connect, is_reachable
from app.store.deliveries import DeliveryStore
from app.store.due_work import DueWorkReader
from app.store.encryption import Cipher
from app.store.encryption_keys import KeyStore
from app.store.environment_integrations import EffectiveIntegrations, EnvironmentIntegrationStore
from app.store.integrations import IntegrationStore
from app.store.jobs import JobStore
from app.store.leadership import Leadership
from app.store.log_read import LogReader
from app.store.outbox import OutboxStore
from app.store.pages import PageStore
from app.store.records_read import RecordReader
from app.store.recounts import RecountStore
from app.store.retention import RetentionStore
from app.store.run_moves import RunMoves
from app.store.run_states import StateStore
from app.store.runs import RunStore
from app.store.sealed_rows import SealedRows
from app.store.spools import SpoolStore
from app.store.templates import TemplateStore
from app.store.tokens import TokenStore
from app.store.tombstones import TombstoneStore
from app.store.triggers import TriggerStore
from app.store.unified_models import EnvironmentUnifiedModelStore, MappingStore, UnifiedModelStore
from app.store.units import UnitStore
from app.store.webhook_deliveries import WebhookDeliveryStore
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
    hearing: Hearing
    pulses: CeleryPulses
    sweeper: Sweeper
    leadership: Leadership
    stopping: threading.Event
    """Set once, when the daemon is told to go: slices then end after their page."""
    close: Callable[[], None]
    """Lets go of connections, once no slice is under way any more."""


class ReachableBell(TaskBell, Protocol):
    """A bell whose broker can be asked for."""

    def is_reachable(self) -> bool:
        """Tell whether the broker takes connections."""


class ClosableSource(PreviewingSource, Protocol):
    """A source that holds connections."""

    def close(self) -> None:
        """Cancel what is under way and close every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a process reaches beyond itself; None is the real thing, made from the settings."""

    engine: Engine | None = None
    bell: ReachableBell | None = None
    source: ClosableSource | None = None
    sender: WebhookSender | None = None


_REAL = Outside()


class _Shared:
    """What API processes and daemons are both built on; nothing connects before its first use."""

    def __init__(self, settings: Settings, outside: Outside = _REAL) -> None:
        self.clock = SystemClock()
        self.allowed = AllowedNetworks.parse(settings.allowed_networks)
        self.engine = outside.engine or connect(settings.database_url, pool_size=settings.database_pool_size)
        self.keys = KeyStore(self.engine)
        self.cipher = cipher = Cipher(settings.encryption_key, self.keys)
        self.bell = outside.bell or CeleryBell(
            publisher(settings.broker_url, timeout_seconds=settings.publish_timeout_seconds)
        )
        self.runs = RunStore(self.engine)
        self.accounts = AccountStore(self.engine, cipher)
        self.integrations = IntegrationStore(self.engine, cipher)
        self.installed_integrations = EnvironmentIntegrationStore(self.engine, cipher)
        self.effective_integrations = EffectiveIntegrations(self.integrations, self.installed_integrations)
        self.webhooks = WebhookStore(self.engine, cipher)
        self.daemons = DaemonStore(self.engine)
        self.unified_models = UnifiedModelStore(self.engine)
        self.unified = UnifiedMappings(self.unified_models)
        self.contexts = RunContexts(
            runs=self.runs, accounts=self.accounts, integrations=self.effective_integrations, unified=self.unified
        )
        self.tracking = Tracking(
            moves=RunMoves(self.engine),
            runs=self.runs,
            contexts=self.contexts,
            bell=self.bell,
            clock=self.clock,
            settings=settings,
        )
        self.sender = HttpWebhookSender(
            loop=LoopThread("ferryman-webhooks"),
            clock=self.clock,
            timeout_seconds=settings.delivery_timeout_seconds,
            allowed=self.allowed,
        )

    def kept_credentials(self) -> KeptCredentials:
        """Make what keeps accounts' tokens fresh in this process."""
        service = CredentialService(
            store=CredentialStore(self.engine, self.cipher),
            endpoint=HttpTokenEndpoint(loop=LoopThread("ferryman-tokens"), allowed=self.allowed),
            clock=self.clock,
            pause=time.sleep,
        )
        return KeptCredentials(service, self.clock.now)


def api_services(settings: Settings, outside: Outside = _REAL) -> ApiServices:
    """Build an API process's services."""
    shared = _Shared(settings, outside)
    jobs = JobStore(shared.engine)
    job_service = JobService(jobs, shared.integrations, shared.unified)
    drafts = _drafts(shared, jobs, settings)
    source = outside.source or HttpSource(settings, _budgets(settings), shared.kept_credentials())
    installed = EnvironmentUnifiedModelStore(shared.engine)
    deliveries = DeliveryService(
        deliveries=WebhookDeliveryStore(shared.engine), webhooks=shared.webhooks, bell=shared.bell
    )
    return ApiServices(
        runs=_run_service(shared, drafts, _dry_runs(shared, source, settings)),
        triggers=TriggerService(TriggerStore(shared.engine), drafts, shared.clock),
        jobs=job_service,
        templates=TemplateService(TemplateStore(shared.engine), job_service),
        states=StateService(StateStore(shared.engine)),
        integrations=IntegrationService(shared.integrations),
        installed_integrations=EnvironmentIntegrationService(shared.installed_integrations, shared.integrations),
        accounts=AccountService(shared.accounts, shared.integrations),
        webhooks=WebhookService(shared.webhooks, shared.sender, wake=deliveries.wake),
        deliveries=deliveries,
        records=RecordService(
            records=RecordReader(shared.engine),
            log=LogReader(shared.engine),
            tombstones=TombstoneStore(shared.engine),
            accounts=shared.accounts,
        ),
        daemons=DaemonService(shared.daemons),
        tokens=TokenService(TokenStore(shared.engine)),
        keys=KeyRotation(
            keys=shared.keys, maker=shared.cipher, rows=SealedRows(shared.engine, shared.cipher), pause=time.sleep
        ),
        direct=DirectCalls(
            accounts=shared.accounts,
            integrations=shared.effective_integrations,
            unified=shared.unified,
            source=source,
            seal=shared.cipher,
            timeout_seconds=settings.direct_call_seconds,
        ),
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
            is_store_reachable=lambda: is_reachable(shared.engine),
            others={"redis": shared.bell.is_reachable},
            daemons=shared.daemons,
        ),
        close=_closing(source, shared.engine),
    )


def _closing(source: ClosableSource, engine: Engine) -> Callable[[], None]:
    def close() -> None:
        source.close()
        engine.dispose()

    return close


def _drafts(shared: _Shared, jobs: JobStore, settings: Settings) -> RunDrafts:
    return RunDrafts(
        jobs=jobs,
        accounts=shared.accounts,
        webhooks=shared.webhooks,
        unified=shared.unified,
        default_group=settings.default_group,
        default_overlap_seconds=settings.overlap_seconds,
    )


def _dry_runs(shared: _Shared, source: PreviewingSource, settings: Settings) -> DryRuns:
    return DryRuns(
        contexts=shared.contexts,
        previous=shared.runs,
        source=source,
        clock=shared.clock,
        timeout_seconds=settings.direct_call_seconds,
    )


def _run_service(shared: _Shared, drafts: RunDrafts, dry_runs: DryRuns) -> RunService:
    outbox = OutboxStore(shared.engine)
    return RunService(
        runs=shared.runs,
        drafts=drafts,
        outbox=outbox,
        tracking=shared.tracking,
        resumption=Resumption(runs=RunMoves(shared.engine), outbox=outbox, bell=shared.bell, clock=shared.clock),
        dry_runs=dry_runs,
        verifier=Verifier(RecountStore(shared.engine)),
        bell=shared.bell,
    )


def daemon_services(settings: Settings, outside: Outside = _REAL) -> DaemonServices:
    """Build a daemon's services."""
    shared = _Shared(settings, outside)
    stopping = threading.Event()
    source = outside.source or HttpSource(settings, _budgets(settings), shared.kept_credentials())
    leadership = Leadership(shared.engine, silence_seconds=max(6.0, 3 * settings.sweep_seconds))
    timeout = settings.publish_timeout_seconds
    pulses = CeleryPulses(publisher(settings.broker_url, timeout_seconds=timeout))
    workplace = Workplace(clock=shared.clock, settings=settings, bell=shared.bell, is_stopping=stopping.is_set)
    return DaemonServices(
        settings=settings,
        tracking=shared.tracking,
        worker=_unit_worker(shared, source, outside.sender or shared.sender, workplace),
        daemons=DaemonService(shared.daemons),
        hearing=Hearing(deaf_seconds=settings.deaf_seconds, monotonic=time.monotonic),
        pulses=pulses,
        sweeper=_sweeper(shared, leadership, pulses, settings),
        leadership=leadership,
        stopping=stopping,
        close=source.close,
    )


def _budgets(settings: Settings) -> Callable[[], BudgetStore]:
    """Choose where rate budgets stand: with a broker that is no Redis, and no Redis beside it, they are not shared."""
    url = settings.budget_url or settings.broker_url
    if not url.startswith(("redis", "unix")):
        return LocalBudgets
    return lambda: RedisBudgets(redis_budgets.client(url), LocalBudgets())


def _unit_worker(shared: _Shared, source: Source, sender: WebhookSender, workplace: Workplace) -> UnitWorker:
    units, deliveries = UnitStore(shared.engine), DeliveryStore(shared.engine)
    turns = AccountTurns(units, workplace)
    return UnitWorker(
        units=units,
        contexts=shared.contexts,
        fetching=FetchWorker(
            source=source,
            batches=BatchSource(SpoolStore(shared.engine), spool_bytes=workplace.settings.spool_bytes),
            leases=units,
            pages=PageStore(shared.engine),
            bounds=shared.runs,
            backlog=deliveries,
            turns=turns,
            workplace=workplace,
        ),
        delivering=DeliveryWorker(
            runs=shared.runs,
            webhooks=shared.webhooks,
            queue=deliveries,
            leases=units,
            sender=sender,
            outcomes=DeliveryOutcomes(fail_run=shared.tracking.fail, record_error=shared.tracking.record_error),
            workplace=workplace,
        ),
        tracking=shared.tracking,
        turns=turns,
        workplace=workplace,
    )


def _sweeper(shared: _Shared, leadership: Leadership, pulses: CeleryPulses, settings: Settings) -> Sweeper:
    roll_call = RollCall(
        pulses=pulses,
        registry=shared.daemons,
        silence_seconds=settings.daemon_silence_seconds,
        monotonic=time.monotonic,
    )
    retention = Retention(RetentionStore(shared.engine), settings, monotonic=time.monotonic)
    outbox = OutboxStore(shared.engine)
    unsticking = Unsticking(runs=shared.runs, tracking=shared.tracking, stuck_seconds=settings.stuck_seconds)
    return Sweeper(
        look=DueWorkReader(
            leadership,
            publish_after_seconds=settings.publish_timeout_seconds,
            ring_after_seconds=settings.ring_after_seconds,
        ),
        units=UnitStore(shared.engine),
        runs=shared.runs,
        messages=outbox,
        triggers=Firing(
            triggers=TriggerStore(shared.engine),
            drafts=_drafts(shared, JobStore(shared.engine), settings),
            outbox=outbox,
            bell=shared.bell,
        ),
        tracking=shared.tracking,
        bell=shared.bell,
        settings=settings,
        chores=[
            Chore(roll_call.take, every_seconds=settings.heartbeat_seconds, monotonic=time.monotonic),
            Chore(retention.step, every_seconds=settings.sweep_seconds, monotonic=time.monotonic),
            Chore(unsticking.step, every_seconds=settings.ring_after_seconds, monotonic=time.monotonic),
        ],
    )
