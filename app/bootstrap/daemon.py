"""Build a daemon's services."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.bootstrap.bulk_actions import build_bulk_duty
from app.bootstrap.destinations import (
    build_destination_dispatcher,
    build_destination_erasing,
    build_destination_telling,
    build_destination_worker,
)
from app.bootstrap.notifications import build_notification_duties
from app.bootstrap.shared import REAL, Outside, Shared, build_run_drafts, choose_budgets, choose_session_engine
from app.broker.dispatcher import build_publisher
from app.broker.heartbeats import CeleryHeartbeats
from app.services.destinations.writing import DestinationWorker
from app.services.maintenance.announcement_sender import AnnouncementSender
from app.services.maintenance.counting import Counting
from app.services.maintenance.duties import Duties, Duty
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.erasure import ErasureDuty
from app.services.maintenance.heartbeats import HEARTBEATS_AT_ONCE, HeartbeatCollector
from app.services.maintenance.landing import RunLanding
from app.services.maintenance.liveness import ConsumerLiveness, DroppedMessages
from app.services.maintenance.numbering import Numbering
from app.services.maintenance.rescue import StuckRunRescuer
from app.services.maintenance.retention import Retention
from app.services.maintenance.sweeper import SweepDuties, Sweeper
from app.services.ports import Source
from app.services.runs.lifecycle import RunLifecycle
from app.services.schedules.scheduler import CronScheduler
from app.services.schemas.learner import SchemaLearner
from app.services.schemas.shares import Share
from app.services.units.account_fairness import AccountFairness
from app.services.units.batch_merging import BatchMerging, read_merge_bounds
from app.services.units.delivery_pool import DeliveryPool
from app.services.units.delivery_worker import DeliveryWorker
from app.services.units.fetch_worker import FetchWorker
from app.services.units.lease_keeper import LeaseKeeper
from app.services.units.ports import WorkerContext
from app.services.units.unit_worker import UnitWorker
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.sources.limiter.gate_state import GateState
from app.store.announcements.announcements import AnnouncementStore
from app.store.db.leadership import Leadership
from app.store.db.writing_sessions import WritingSessions
from app.store.deliveries.deliveries import DeliveryStore
from app.store.deliveries.merging import DeliveryMerger
from app.store.maintenance.daemons import DaemonStore
from app.store.maintenance.due_work import DueWorkReader
from app.store.maintenance.erasures import ErasureStore
from app.store.maintenance.retention import RetentionStore
from app.store.records.numbers import RecordNumbers
from app.store.records.record_counts import RecordCounts
from app.store.runs.outbox import OutboxStore
from app.store.schedules.triggers import TriggerStore
from app.store.schemas.readers import EnvironmentReaders
from app.store.schemas.schemas import SchemaStore
from app.store.schemas.views import ViewStore
from app.store.schemas.written_values import WrittenValues
from app.store.units.pages import PageStore
from app.store.units.spools import SpoolStore
from app.store.units.units import UnitStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonServices:
    """What a daemon's process works with."""

    settings: Settings
    lifecycle: RunLifecycle
    worker: UnitWorker
    fairness: AccountFairness
    destination_worker: DestinationWorker
    daemons: DaemonStore
    consumer_liveness: ConsumerLiveness
    dropped: DroppedMessages
    heartbeats: CeleryHeartbeats
    sweeper: Sweeper
    delivery_pool: DeliveryPool
    leadership: Leadership
    stopping: threading.Event
    """Set once, when the daemon is to stop: slices then end after their page."""
    list_gates: Callable[[], Sequence[GateState]]
    """Lists how the gates of accounts stand, for the metrics."""
    close: Callable[[], None]
    """Closes connections, once no slice is under way any more."""


def build_daemon_services(settings: Settings, outside: Outside = REAL) -> DaemonServices:
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
    fairness = AccountFairness(UnitStore(shared.engine), worker_context)
    pool = DeliveryPool(outside.send or shared.sender.submit, shared.dispatcher)
    return DaemonServices(
        settings=settings,
        lifecycle=shared.lifecycle,
        worker=_build_unit_worker(shared, source, pool, worker_context, fairness),
        fairness=fairness,
        destination_worker=build_destination_worker(shared, settings, is_stopping=stopping.is_set),
        daemons=shared.daemons,
        consumer_liveness=ConsumerLiveness(stalled_seconds=settings.deaf_seconds, monotonic=time.monotonic),
        dropped=DroppedMessages(time.monotonic),
        heartbeats=heartbeats,
        sweeper=_build_sweeper(shared, leadership, heartbeats, outside, pool, settings),
        delivery_pool=pool,
        leadership=leadership,
        stopping=stopping,
        list_gates=source.list_gates if isinstance(source, HttpSource) else list,
        close=source.close,
    )


def _build_unit_worker(
    shared: Shared, source: Source, pool: DeliveryPool, worker_context: WorkerContext, fairness: AccountFairness
) -> UnitWorker:
    settings, units = worker_context.settings, UnitStore(shared.engine)
    bounds = read_merge_bounds(settings)
    deliveries, spools = DeliveryStore(shared.engine, bounds), SpoolStore(shared.engine)
    merger = DeliveryMerger(shared.engine, bounds)
    lease = settings.lease_seconds
    keeper = LeaseKeeper(partial(units.keep, lease_seconds=lease), lease_seconds=lease)
    return UnitWorker(
        units=units,
        contexts=shared.contexts,
        fetch_worker=FetchWorker(
            source=source,
            read_spool=partial(spools.read, limit_bytes=settings.spool_bytes),
            units=units,
            pages=PageStore(shared.engine),
            deliveries=deliveries,
            freeze_upper_bound=shared.runs.freeze_upper_bound,
            fairness=fairness,
            worker_context=worker_context,
        ),
        delivery_worker=DeliveryWorker(
            load_run=shared.runs.load,
            health=WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=settings),
            deliveries=deliveries,
            units=units,
            keeper=keeper,
            pool=pool,
            merging=BatchMerging(merger.read_line, merger.merge, settings),
            lifecycle=shared.lifecycle,
            worker_context=worker_context,
        ),
        keeper=keeper,
        lifecycle=shared.lifecycle,
        fairness=fairness,
        worker_context=worker_context,
    )


def _build_sweeper(
    shared: Shared,
    leadership: Leadership,
    heartbeats: CeleryHeartbeats,
    outside: Outside,
    pool: DeliveryPool,
    settings: Settings,
) -> Sweeper:
    due = DueWorkReader(
        leadership,
        publish_after_seconds=settings.publish_timeout_seconds,
        ring_after_seconds=settings.ring_after_seconds,
    )
    duties = [
        *_build_due_duties(shared, pool, settings),
        *_build_periodic_duties(shared, heartbeats, settings),
        *build_notification_duties(shared, outside, settings),
    ]
    return Sweeper(
        look=due.find_due_work,
        duties=Duties(duties, clock=shared.clock, monotonic=time.monotonic, start=outside.start_duty),
    )


def _build_due_duties(shared: Shared, pool: DeliveryPool, settings: Settings) -> Sequence[Duty]:
    """Build the duties whose work a look at the database finds."""
    outbox = OutboxStore(shared.engine)
    sweeping = SweepDuties(
        units=UnitStore(shared.engine),
        runs=shared.runs,
        find_unsettled=shared.runs.find_unsettled,
        publish_waiting=outbox.publish_waiting,
        lifecycle=shared.lifecycle,
        dispatcher=shared.dispatcher,
        settings=settings,
        monotonic=time.monotonic,
    )
    scheduler = CronScheduler(
        triggers=TriggerStore(shared.engine),
        drafts=build_run_drafts(shared, settings),
        remove_message=outbox.remove_soon,
        dispatcher=shared.dispatcher,
        monotonic=time.monotonic,
    )
    announcement_sender = AnnouncementSender(
        announcements=AnnouncementStore(shared.engine),
        health=WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=settings),
        pool=pool,
        clock=shared.clock,
        settings=settings,
    )
    landing = RunLanding(
        find_landed=shared.runs.find_landed,
        lifecycle=shared.lifecycle,
        limit_seconds=settings.destination_wait_seconds,
        monotonic=time.monotonic,
    )
    return (
        *sweeping.build_duties(),
        landing.build_duty(),
        Duty(name="triggers", do=scheduler.run_due_now, is_due=lambda due: due.triggers),
        Duty(name="destinations", do=build_destination_dispatcher(shared, settings).dispatch_due),
        Duty(name="announcing", do=announcement_sender.send_due, is_due=lambda due: due.announcements),
    )


def _build_periodic_duties(shared: Shared, heartbeats: CeleryHeartbeats, settings: Settings) -> Sequence[Duty]:
    """Build the duties that look for their work themselves."""
    heartbeat_collector = HeartbeatCollector(
        collect=partial(heartbeats.collect, limit=HEARTBEATS_AT_ONCE),
        record=shared.daemons.record_heartbeats,
        silence_seconds=settings.daemon_silence_seconds,
        monotonic=time.monotonic,
    )
    sessions = WritingSessions(shared.engine)
    rescuer = StuckRunRescuer(
        find_stuck=shared.runs.find_stuck,
        lifecycle=shared.lifecycle,
        stuck_seconds=settings.stuck_seconds,
        monotonic=time.monotonic,
    )
    return (
        Duty(name="roll call", do=heartbeat_collector.collect, every_seconds=settings.heartbeat_seconds),
        Duty(name="orphaned sessions", do=sessions.end_orphaned, every_seconds=settings.lease_seconds / 3),
        Duty(name="rescue", do=rescuer.rescue_stuck, every_seconds=settings.ring_after_seconds),
        *_build_clearing_duties(shared, settings),
        build_destination_telling(shared, settings),
        *_build_schema_learner(shared).build_duties(),
        *build_bulk_duty(shared).build_duties(),
    )


def _build_schema_learner(shared: Shared) -> SchemaLearner:
    views = ViewStore(shared.engine, EnvironmentReaders(shared.engine))
    return SchemaLearner(
        values=WrittenValues(shared.engine),
        schemas=SchemaStore(shared.engine),
        list_outdated_views=views.list_outdated,
        update_view=views.update,
        share=Share(),
        clock=shared.clock,
    )


def _build_clearing_duties(shared: Shared, settings: Settings) -> Sequence[Duty]:
    """Build the duties that remove or renumber rows, all at one pace."""
    pace, counts = Pace(), RecordCounts(shared.engine)
    return (
        *Retention(RetentionStore(shared.engine), settings, pace).build_duties(),
        *ErasureDuty(
            ErasureStore(shared.engine),
            shared.lifecycle.stop,
            pace,
            erase_at_destinations=build_destination_erasing(shared).erase,
        ).build_duties(),
        *Numbering(RecordNumbers(shared.engine), pace).build_duties(),
        *Counting(find_due=counts.find_due, count=counts.count, pace=pace).build_duties(),
    )
