"""Build a daemon's services."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.bootstrap.shared import REAL, Outside, Shared, budgets, run_drafts, session_engine
from app.broker.dispatcher import publisher
from app.broker.heartbeats import CeleryPulses
from app.services.maintenance.announcing import Announcing
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.dropped_messages import DroppedMessages
from app.services.maintenance.duties import Duties, Duty
from app.services.maintenance.erasing import Erasing
from app.services.maintenance.heartbeats import RollCall
from app.services.maintenance.liveness import Hearing
from app.services.maintenance.numbering import Numbering
from app.services.maintenance.pace import Pace
from app.services.maintenance.rescue import Unsticking
from app.services.maintenance.retention import Retention
from app.services.maintenance.sweeping import Sweeper, Sweeping
from app.services.ports import Source
from app.services.runs.lifecycle import Tracking
from app.services.schedules.scheduler import Firing
from app.services.units.batch_merging import BatchMerging, merge_bounds
from app.services.units.batch_source import BatchSource
from app.services.units.delivering import AfterSlice, DeliveryWorker
from app.services.units.delivery_ends import DeliveryEnds, DeliveryOutcomes
from app.services.units.fetching import FetchWorker
from app.services.units.lease_keeping import LeaseKeeper
from app.services.units.sending import Sending
from app.services.units.turns import AccountTurns
from app.services.units.working import UnitWorker
from app.services.units.workplace import Workplace
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
    tracking: Tracking
    worker: UnitWorker
    daemons: DaemonService
    hearing: Hearing
    dropped: DroppedMessages
    pulses: CeleryPulses
    sweeper: Sweeper
    sending: Sending
    leadership: Leadership
    stopping: threading.Event
    """Set once, when the daemon is told to go: slices then end after their page."""
    close: Callable[[], None]
    """Lets go of connections, once no slice is under way any more."""


def daemon_services(settings: Settings, outside: Outside = REAL) -> DaemonServices:
    """Build a daemon's services."""
    shared = Shared(settings, outside)
    stopping = threading.Event()
    source = outside.source or HttpSource(settings, budgets(settings), shared.kept_credentials())
    leadership = Leadership(
        session_engine(settings, shared.engine), silence_seconds=max(6.0, 3 * settings.sweep_seconds)
    )
    timeout = settings.publish_timeout_seconds
    pulses = CeleryPulses(publisher(settings.broker_url, timeout_seconds=timeout))
    workplace = Workplace(clock=shared.clock, settings=settings, bell=shared.bell, is_stopping=stopping.is_set)
    sending = Sending(outside.sender or shared.sender, shared.bell)
    return DaemonServices(
        settings=settings,
        tracking=shared.tracking,
        worker=_unit_worker(shared, source, sending, workplace),
        daemons=DaemonService(shared.daemons),
        hearing=Hearing(deaf_seconds=settings.deaf_seconds, monotonic=time.monotonic),
        dropped=DroppedMessages(time.monotonic),
        pulses=pulses,
        sweeper=_sweeper(shared, leadership, pulses, outside, sending, settings),
        sending=sending,
        leadership=leadership,
        stopping=stopping,
        close=source.close,
    )


def _unit_worker(shared: Shared, source: Source, sending: Sending, workplace: Workplace) -> UnitWorker:
    units, deliveries = UnitStore(shared.engine), DeliveryStore(shared.engine, merge_bounds(workplace.settings))
    turns = AccountTurns(units, workplace)
    keeper = LeaseKeeper(units, lease_seconds=workplace.settings.lease_seconds)
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
        delivering=_delivery_worker(shared, units, keeper, sending, workplace),
        keeper=keeper,
        tracking=shared.tracking,
        turns=turns,
        workplace=workplace,
    )


def _delivery_worker(
    shared: Shared, units: UnitStore, keeper: LeaseKeeper, sending: Sending, workplace: Workplace
) -> DeliveryWorker:
    bounds = merge_bounds(workplace.settings)
    queue, tracking = DeliveryStore(shared.engine, bounds), shared.tracking
    health = WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=workplace.settings)
    ends = DeliveryEnds(
        queue=queue,
        leases=units,
        health=health,
        outcomes=DeliveryOutcomes(fail_run=tracking.fail, record_error=tracking.record_error),
        workplace=workplace,
    )
    return DeliveryWorker(
        runs=shared.runs,
        health=health,
        queue=queue,
        leases=units,
        keeper=keeper,
        sending=sending,
        ends=ends,
        merging=BatchMerging(DeliveryMerger(shared.engine, bounds), workplace.settings),
        after=AfterSlice(
            settle=tracking.settle,
            note_broken=lambda run_id, name: tracking.note_broken_task(run_id, name, is_start=False),
        ),
        workplace=workplace,
    )


def _sweeper(  # what it is made of
    shared: Shared,
    leadership: Leadership,
    pulses: CeleryPulses,
    outside: Outside,
    sending: Sending,
    settings: Settings,
) -> Sweeper:
    look = DueWorkReader(
        leadership,
        publish_after_seconds=settings.publish_timeout_seconds,
        ring_after_seconds=settings.ring_after_seconds,
    )
    duties = [*_told_duties(shared, sending, settings), *_own_duties(shared, pulses, settings)]
    return Sweeper(
        look=look,
        duties=Duties(duties, clock=shared.clock, monotonic=time.monotonic, start=outside.start_duty),
    )


def _told_duties(shared: Shared, sending: Sending, settings: Settings) -> Sequence[Duty]:
    """Make the duties that a look tells whether they have work."""
    outbox = OutboxStore(shared.engine)
    sweeping = Sweeping(
        units=UnitStore(shared.engine),
        runs=shared.runs,
        messages=outbox,
        tracking=shared.tracking,
        bell=shared.bell,
        settings=settings,
        monotonic=time.monotonic,
    )
    firing = Firing(
        triggers=TriggerStore(shared.engine),
        drafts=run_drafts(shared, settings),
        outbox=outbox,
        bell=shared.bell,
        monotonic=time.monotonic,
    )
    announcing = Announcing(
        announcements=AnnouncementStore(shared.engine),
        health=WebhookHealth(webhooks=shared.webhooks, clock=shared.clock, settings=settings),
        sending=sending,
        clock=shared.clock,
        settings=settings,
    )
    return (
        *sweeping.duties(),
        Duty(name="triggers", do=firing.fire_due, is_due=lambda due: due.triggers),
        Duty(name="announcing", do=announcing.send_due, is_due=lambda due: due.announcements),
    )


def _own_duties(shared: Shared, pulses: CeleryPulses, settings: Settings) -> Sequence[Duty]:
    """Make the duties that look for themselves."""
    roll_call = RollCall(
        pulses=pulses,
        registry=shared.daemons,
        silence_seconds=settings.daemon_silence_seconds,
        monotonic=time.monotonic,
    )
    sessions = WritingSessions(shared.engine)
    unsticking = Unsticking(
        runs=shared.runs,
        tracking=shared.tracking,
        stuck_seconds=settings.stuck_seconds,
        monotonic=time.monotonic,
    )
    return (
        Duty(name="roll call", do=roll_call.take, every_seconds=settings.heartbeat_seconds),
        Duty(name="orphaned sessions", do=sessions.end_orphaned, every_seconds=settings.lease_seconds / 3),
        Duty(name="rescue", do=unsticking.step, every_seconds=settings.ring_after_seconds),
        *_clearing(shared, settings),
    )


def _clearing(shared: Shared, settings: Settings) -> Sequence[Duty]:
    """Make the duties that remove or renumber rows, all at one pace."""
    pace = Pace()
    return (
        *Retention(RetentionStore(shared.engine), settings, pace).duties(),
        *Erasing(ErasureStore(shared.engine), shared.tracking, pace).duties(),
        *Numbering(RecordNumbers(shared.engine), pace).duties(),
    )
