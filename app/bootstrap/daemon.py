"""Build a daemon's services."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.bootstrap.shared import REAL, Outside, Shared, build_run_drafts, choose_budgets, choose_session_engine
from app.broker.dispatcher import build_publisher
from app.broker.heartbeats import CeleryHeartbeats
from app.services.maintenance.announcing import Announcing
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.duties import Duties, Duty
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.erasing import ErasureDuty
from app.services.maintenance.heartbeats import HeartbeatCollector
from app.services.maintenance.liveness import ConsumerLiveness, DroppedMessages
from app.services.maintenance.numbering import Numbering
from app.services.maintenance.rescue import StuckRunRescuer
from app.services.maintenance.retention import Retention
from app.services.maintenance.sweeping import SweepDuties, Sweeper
from app.services.ports import Source
from app.services.runs.lifecycle import RunLifecycle
from app.services.schedules.scheduler import CronScheduler
from app.services.units.account_fairness import AccountFairness
from app.services.units.batch_merging import BatchMerging, read_merge_bounds
from app.services.units.batch_source import BatchSource
from app.services.units.delivering import AfterSlice
from app.services.units.delivery_outcomes import DeliveryOutcomes
from app.services.units.delivery_pool import DeliveryPool
from app.services.units.delivery_worker import DeliveryWorker
from app.services.units.fetch_worker import FetchWorker
from app.services.units.lease_keeper import LeaseKeeper
from app.services.units.ports import WorkerContext
from app.services.units.unit_worker import UnitWorker
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.store.announcements.announcements import AnnouncementStore
from app.store.db.leadership import Leadership
from app.store.db.writing_sessions import WritingSessions
from app.store.deliveries.deliveries import DeliveryStore
from app.store.deliveries.merging import DeliveryMerger
from app.store.maintenance.due_work import DueWorkReader
from app.store.maintenance.erasures import ErasureStore
from app.store.maintenance.retention import RetentionStore
from app.store.records.numbers import RecordNumbers
from app.store.runs.outbox import OutboxStore
from app.store.schedules.triggers import TriggerStore
from app.store.units.pages import PageStore
from app.store.units.spools import SpoolStore
from app.store.units.units import UnitStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonServices:
    """What a daemon's process works with."""

    settings: Settings
    lifecycle: RunLifecycle
    worker: UnitWorker
    daemons: DaemonService
    consumer_liveness: ConsumerLiveness
    dropped: DroppedMessages
    heartbeats: CeleryHeartbeats
    sweeper: Sweeper
    sending: DeliveryPool
    leadership: Leadership
    stopping: threading.Event
    """Set once, when the daemon is told to go: slices then end after their page."""
    close: Callable[[], None]
    """Lets go of connections, once no slice is under way any more."""


def daemon_services(settings: Settings, outside: Outside = REAL) -> DaemonServices:
    """Build a daemon's services."""
    shared = Shared(settings, outside)
    stopping = threading.Event()
    source = outside.source or HttpSource(settings, choose_budgets(settings), shared.build_token_cache())
    leadership = Leadership(
        choose_session_engine(settings, shared.engine), silence_seconds=max(6.0, 3 * settings.sweep_seconds)
    )
    timeout = settings.publish_timeout_seconds
    heartbeats = CeleryHeartbeats(build_publisher(settings.broker_url, timeout_seconds=timeout))
    worker_context = WorkerContext(
        clock=shared.clock, settings=settings, dispatcher=shared.dispatcher, is_stopping=stopping.is_set
    )
    sending = DeliveryPool(outside.sender or shared.sender, shared.dispatcher)
    return DaemonServices(
        settings=settings,
        lifecycle=shared.lifecycle,
        worker=_unit_worker(shared, source, sending, worker_context),
        daemons=DaemonService(shared.daemons),
        consumer_liveness=ConsumerLiveness(deaf_seconds=settings.deaf_seconds, monotonic=time.monotonic),
        dropped=DroppedMessages(time.monotonic),
        heartbeats=heartbeats,
        sweeper=_sweeper(shared, leadership, heartbeats, outside, sending, settings),
        pool=sending,
        leadership=leadership,
        stopping=stopping,
        close=source.close,
    )


def _unit_worker(shared: Shared, source: Source, sending: DeliveryPool, worker_context: WorkerContext) -> UnitWorker:
    units, deliveries = (
        UnitStore(shared.engine),
        DeliveryStore(shared.engine, read_merge_bounds(worker_context.settings)),
    )
    turns = AccountFairness(units, worker_context)
    keeper = LeaseKeeper(units, lease_seconds=worker_context.settings.lease_seconds)
    return UnitWorker(
        units=units,
        contexts=shared.contexts,
        fetching=FetchWorker(
            source=source,
            batches=BatchSource(SpoolStore(shared.engine), spool_bytes=worker_context.settings.spool_bytes),
            leases=units,
            pages=PageStore(shared.engine),
            bounds=shared.runs,
            backlog=deliveries,
            turns=turns,
            worker_context=worker_context,
        ),
        delivering=_delivery_worker(shared, units, keeper, sending, worker_context),
        keeper=keeper,
        lifecycle=shared.lifecycle,
        turns=turns,
        worker_context=worker_context,
    )


def _delivery_worker(
    shared: Shared, units: UnitStore, keeper: LeaseKeeper, sending: DeliveryPool, worker_context: WorkerContext
) -> DeliveryWorker:
    bounds = read_merge_bounds(worker_context.settings)
    queue, lifecycle = DeliveryStore(shared.engine, bounds), shared.lifecycle
    health = WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=worker_context.settings)
    ends = DeliveryOutcomes(
        queue=queue,
        leases=units,
        health=health,
        outcomes=DeliveryOutcomes(fail=lifecycle.fail, record_error=lifecycle.record_error),
        worker_context=worker_context,
    )
    return DeliveryWorker(
        runs=shared.runs,
        health=health,
        queue=queue,
        leases=units,
        keeper=keeper,
        pool=sending,
        ends=ends,
        merging=BatchMerging(DeliveryMerger(shared.engine, bounds), worker_context.settings),
        after=AfterSlice(
            settle=lifecycle.settle,
            note_broken=lambda run_id, name: lifecycle.record_broken_task(run_id, name, is_start=False),
        ),
        worker_context=worker_context,
    )


def _sweeper(  # what it is made of
    shared: Shared,
    leadership: Leadership,
    heartbeats: CeleryHeartbeats,
    outside: Outside,
    sending: DeliveryPool,
    settings: Settings,
) -> Sweeper:
    look = DueWorkReader(
        leadership,
        publish_after_seconds=settings.publish_timeout_seconds,
        ring_after_seconds=settings.ring_after_seconds,
    )
    duties = [*_told_duties(shared, sending, settings), *_own_duties(shared, heartbeats, settings)]
    return Sweeper(
        look=look,
        duties=Duties(duties, clock=shared.clock, monotonic=time.monotonic, start=outside.start_duty),
    )


def _told_duties(shared: Shared, sending: DeliveryPool, settings: Settings) -> Sequence[Duty]:
    """Make the duties that a look tells whether they have work."""
    outbox = OutboxStore(shared.engine)
    sweeping = SweepDuties(
        units=UnitStore(shared.engine),
        runs=shared.runs,
        messages=outbox,
        lifecycle=shared.lifecycle,
        dispatcher=shared.dispatcher,
        settings=settings,
        monotonic=time.monotonic,
    )
    scheduler = CronScheduler(
        triggers=TriggerStore(shared.engine),
        drafts=build_run_drafts(shared, settings),
        outbox=outbox,
        dispatcher=shared.dispatcher,
        monotonic=time.monotonic,
    )
    announcing = Announcing(
        announcements=AnnouncementStore(shared.engine),
        health=WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=settings),
        pool=sending,
        clock=shared.clock,
        settings=settings,
    )
    return (
        *sweeping.duties(),
        Duty(name="triggers", do=scheduler.run_due_now, is_due=lambda due: due.triggers),
        Duty(name="announcing", do=announcing.send_due, is_due=lambda due: due.announcements),
    )


def _own_duties(shared: Shared, heartbeats: CeleryHeartbeats, settings: Settings) -> Sequence[Duty]:
    """Make the duties that look for themselves."""
    heartbeat_collector = HeartbeatCollector(
        heartbeats=heartbeats,
        registry=shared.daemons,
        silence_seconds=settings.daemon_silence_seconds,
        monotonic=time.monotonic,
    )
    sessions = WritingSessions(shared.engine)
    rescuer = StuckRunRescuer(
        runs=shared.runs,
        lifecycle=shared.lifecycle,
        stuck_seconds=settings.stuck_seconds,
        monotonic=time.monotonic,
    )
    return (
        Duty(name="roll call", do=heartbeat_collector.take, every_seconds=settings.heartbeat_seconds),
        Duty(name="orphaned sessions", do=sessions.end_orphaned, every_seconds=settings.lease_seconds / 3),
        Duty(name="rescue", do=rescuer.step, every_seconds=settings.ring_after_seconds),
        *_clearing(shared, settings),
    )


def _clearing(shared: Shared, settings: Settings) -> Sequence[Duty]:
    """Make the duties that remove or renumber rows, all at one pace."""
    pace = Pace()
    return (
        *Retention(RetentionStore(shared.engine), settings, pace).duties(),
        *ErasureDuty(ErasureStore(shared.engine), shared.lifecycle, pace).duties(),
        *Numbering(RecordNumbers(shared.engine), pace).duties(),
    )
