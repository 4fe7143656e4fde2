"""One run with its account, stores and workers, put together as app/bootstrap does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.engine.record_errors import SpoolError
from app.engine.runs.increments import LowerBounds
from app.engine.runs.work import Claim, EventDraft, SliceOutcome, UnitDraft, UnitKind
from app.engine.status import UnitStatus
from app.services.contexts.context import ContextRows, RunContext, RunContexts
from app.services.ports import Announcement
from app.services.runs.lifecycle import RunLifecycle
from app.services.runs.resumption import Resumption
from app.services.unified.mappings import UnifiedMappings
from app.services.units.account_fairness import AccountFairness
from app.services.units.batch_merging import BatchMerging
from app.services.units.delivery_pool import DeliveryPool
from app.services.units.delivery_worker import DeliveryWorker
from app.services.units.fetch_worker import FetchWorker
from app.services.units.lease_keeper import LeaseKeeper
from app.services.units.ports import WorkerContext
from app.services.units.slices import ReadSpool
from app.services.units.unit_worker import UnitWorker
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings
from tests.unit.services.service_fakes import FakeClock, FakeDispatcher, FakeReceiver, FakeSource
from tests.unit.services.service_moves import FakeMoves
from tests.unit.services.service_tables import NOON, FakeMappings, FakeTable, account, integration, run, webhook
from tests.unit.services.service_world import (
    DELIVERY_UNIT,
    FakeDeliveries,
    FakePages,
    FakeRuns,
    FakeUnits,
)


class FakeWebhooks(FakeTable[Webhook]):
    """Webhooks that are disabled once their patience is over: here at the second failure, or at the first."""

    announced: list[EventDraft]

    def record_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        webhook = self.rows[webhook_id]
        if not webhook.is_active:
            return False
        is_active = webhook.failing_since is None and disable_after_seconds > 0
        self.rows[webhook_id] = replace(
            webhook, failing_since=NOON, is_active=is_active, disabled_reason=None if is_active else reason
        )
        self.announced = [] if is_active else [*announce(["other"])]
        return not is_active

    def record_success(self, webhook_id: str) -> None:
        self.rows[webhook_id] = replace(self.rows[webhook_id], failing_since=None)


class FakeWaits:
    """Remembers whose wait was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def end_wait(self, run: SyncJobRun) -> bool:
        self.ended.append(run.id)
        return True


class FakeSpools:
    """What spools have gathered, by what it was closed as."""

    def __init__(self) -> None:
        self.gathered: dict[str, list[JSON]] = {}

    def read(self, closed_as: str, *, limit_bytes: int) -> list[JSON]:
        if len(self.gathered[closed_as]) > limit_bytes:
            raise SpoolError
        return self.gathered[closed_as]

    def reader(self, *, limit_bytes: int) -> ReadSpool:
        return partial(self.read, limit_bytes=limit_bytes)


@dataclass
class FakeContextRows:
    """What contexts are made of, out of the fakes that each hold a part of it."""

    runs: FakeRuns
    accounts: FakeTable[IntegratedAccount]
    integrations: FakeTable[Integration]
    held_keys: Callable[[], JsonObject] = dict
    rekeyings: Callable[[], JsonObject] = dict

    def read(self, run_id: str) -> ContextRows | None:
        run = self.runs.load(run_id)
        if run is None:
            return None
        account = self.accounts.get(run.environment_id, run.integrated_account_id)
        integration = self.integrations.get(account.environment_id, account.integration_id) if account else None
        ids = self.runs.resource_ids(run_id)
        return ContextRows(
            run=run,
            resource_ids=ids,
            bounds=LowerBounds(run=run.previous_run_date, own=self.runs.later_bounds),
            account=account,
            integration=integration,
            held_keys=self.held_keys(),
            rekeyings=self.rekeyings(),
        )


@dataclass
class Setting:
    """All that one run's slices meet."""

    settings: Settings
    journal: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    dispatcher: FakeDispatcher = field(default_factory=FakeDispatcher)
    runs: FakeRuns = field(default_factory=FakeRuns)
    units: FakeUnits = field(default_factory=FakeUnits)
    accounts: FakeTable[IntegratedAccount] = field(default_factory=lambda: FakeTable(account, account()))
    integrations: FakeTable[Integration] = field(default_factory=lambda: FakeTable(integration, integration()))
    webhooks: FakeWebhooks = field(default_factory=lambda: FakeWebhooks(webhook, webhook()))
    receiver: FakeReceiver = field(default_factory=lambda: FakeReceiver(200))
    mappings: FakeMappings = field(default_factory=FakeMappings)
    held_keys: JsonObject = field(default_factory=dict)
    rekeyings: JsonObject = field(default_factory=dict)
    is_stopping: bool = False
    most_under_way: int = 8

    def __post_init__(self) -> None:
        self.source = FakeSource(self.journal)
        self.spools = FakeSpools()
        self.waits = FakeWaits()
        self.deliveries = FakeDeliveries(self.units)
        self.pages = FakePages(self.units, self.deliveries, self.journal)
        self.moves = FakeMoves(self.runs, self.units, self.deliveries)
        self.fairness = AccountFairness(self.units, self.worker_context())
        lease = self.settings.lease_seconds
        self.keeper = LeaseKeeper(partial(self.units.keep, lease_seconds=lease), lease_seconds=lease)
        self.settled: list[str] = []
        """Runs that were looked at after a slice which ended in no task."""
        self.broken: list[tuple[str, str]] = []

    def stop_daemon(self) -> None:
        self.is_stopping = True

    def add_unit(self, *elements: JsonObject, resource: str = "tickets", frontier: JsonObject | None = None) -> str:
        """Add a fetching unit that is ready, called ``unit``."""
        self.units.add(UnitDraft(id="unit", resource_id=f"id-of-{resource}", elements=elements or [{}]))
        self.units.rows["unit"].frontier = frontier or {}
        return "unit"

    def add_delivery_unit(self, status: UnitStatus = UnitStatus.READY) -> str:
        self.units.add(UnitDraft(id=DELIVERY_UNIT, resource_id=None, kind=UnitKind.DELIVERY, status=status))
        return DELIVERY_UNIT

    def claim(self, unit_id: str) -> Claim:
        claim = self.units.claim(unit_id)
        assert claim is not None
        return claim

    def fetch(self) -> SliceOutcome:
        """Work on ``unit`` for one slice."""
        return self.fetching().work(self.claim("unit"), self.context())

    def deliver(self) -> SliceOutcome:
        """Work on the delivery unit for one slice."""
        return self.delivering().work(self.claim(DELIVERY_UNIT))

    def context(self) -> RunContext:
        return self.contexts().load("run")

    def contexts(self) -> RunContexts:
        return RunContexts(
            read_rows=FakeContextRows(
                self.runs, self.accounts, self.integrations, lambda: self.held_keys, lambda: self.rekeyings
            ).read,
            accounts=self.accounts,
            record_origins=self.accounts.record_origins,
            integrations=self.integrations,
            unified=UnifiedMappings(self.mappings.read_layers),
        )

    def worker_context(self) -> WorkerContext:
        return WorkerContext(
            clock=self.clock, settings=self.settings, dispatcher=self.dispatcher, is_stopping=lambda: self.is_stopping
        )

    def lifecycle(self, kind: Callable[..., RunLifecycle] = RunLifecycle) -> RunLifecycle:
        more = {"setting": self} if kind is WatchedLifecycle else {}
        return kind(
            **more,
            moves=self.moves,
            load_run=self.runs.load,
            contexts=self.contexts(),
            dispatcher=self.dispatcher,
            clock=self.clock,
            settings=self.settings,
        )

    def resumption(self, remove_message: Callable[[int], object]) -> Resumption:
        return Resumption(
            moves=self.moves,
            end_wait=self.waits.end_wait,
            remove_message=remove_message,
            dispatcher=self.dispatcher,
            clock=self.clock,
        )

    def fetching(self) -> FetchWorker:
        return FetchWorker(
            source=self.source,
            read_spool=self.spools.reader(limit_bytes=self.settings.spool_bytes),
            units=self.units,
            pages=self.pages,
            deliveries=self.deliveries,
            freeze_upper_bound=self.runs.freeze_upper_bound,
            fairness=self.fairness,
            worker_context=self.worker_context(),
        )

    def delivering(self) -> DeliveryWorker:
        self.pool = DeliveryPool(self.receiver.submit, self.dispatcher, most=self.most_under_way)
        return DeliveryWorker(
            load_run=self.runs.load,
            health=WebhookHealth(webhooks=self.webhooks, clock=self.clock, settings=self.settings),  # type: ignore[arg-type]  # it has what is called
            deliveries=self.deliveries,
            units=self.units,
            keeper=self.keeper,
            pool=self.pool,
            merging=BatchMerging(self.deliveries.read_line, self.deliveries.merge, self.settings),
            lifecycle=self.lifecycle(WatchedLifecycle),
            worker_context=self.worker_context(),
        )

    def worker(self) -> UnitWorker:
        return UnitWorker(
            units=self.units,
            contexts=self.contexts(),
            fetch_worker=self.fetching(),
            delivery_worker=self.delivering(),
            keeper=self.keeper,
            lifecycle=self.lifecycle(),
            fairness=self.fairness,
            worker_context=self.worker_context(),
        )


class WatchedLifecycle(RunLifecycle):
    """Remembers which runs were settled, and which broke, after a slice that ended in no task."""

    def __init__(self, setting: Setting, **roles: Any) -> None:
        super().__init__(**roles)
        self._setting = setting

    def settle(self, run_id: str) -> None:
        self._setting.settled.append(run_id)

    def record_broken_task(self, run_id: str, exception_name: str, *, is_start: bool) -> None:
        self._setting.broken.append((run_id, exception_name))


def setting(resources: Sequence[JsonObject] = (), *, run_fields: JsonObject | None = None, **limits: Any) -> Setting:
    """Set up a run of these resources, by default of ``tickets``; ``limits`` are settings."""
    settings = Settings(database_url="", broker_url="", encryption_key="", **limits)
    made = Setting(settings)
    listed = {"resources": [{"method": "list", "persist": True, **item} for item in resources]} if resources else {}
    made.runs.add(run(**listed, **(run_fields or {})))
    return made
