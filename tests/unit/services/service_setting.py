"""One run with its account, stores and workers, put together as app/bootstrap does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from app.services.runs.lifecycle import RunLifecycle
from app.services.runs.resuming import Outbox, Resumption
from app.services.unified.mappings import UnifiedMappings
from app.services.units.batch_merging import BatchMerging
from app.services.units.batch_source import BatchSource
from app.services.units.delivering import AfterSlice, DeliveryWorker
from app.services.units.delivery_ends import DeliveryEnds, DeliveryOutcomes
from app.services.units.fetching import FetchWorker
from app.services.units.lease_keeping import LeaseKeeper
from app.services.units.sending import Sending
from app.services.units.turns import AccountFairness
from app.services.units.worker_context import WorkerContext
from app.services.units.working import UnitWorker
from app.services.webhooks.health import Announcement, WebhookHealth
from app.settings import Settings
from tests.unit.services.service_fakes import FakeBell, FakeClock, FakeReceiver, FakeSource
from tests.unit.services.service_moves import FakeMoves
from tests.unit.services.service_tables import NOON, FakeMappings, FakeTable, account, integration, run, webhook
from tests.unit.services.service_world import DELIVERY_UNIT, FakeDeliveries, FakePages, FakeRuns, FakeUnits


class FakeWebhooks(FakeTable[Webhook]):
    """Webhooks that are disabled once their patience is over: here at the second failure, or at the first."""

    announced: list[EventDraft]

    def note_failure(
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

    def note_success(self, webhook_id: str) -> None:
        self.rows[webhook_id] = replace(self.rows[webhook_id], failing_since=None)


class FakeWaits:
    """Remembers whose wait was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def let_go_on(self, run: SyncJobRun) -> bool:
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


@dataclass
class FakeMaterials:
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
    dispatcher: FakeBell = field(default_factory=FakeBell)
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
        self.turns = AccountFairness(self.units, self.worker_context())
        self.keeper = LeaseKeeper(self.units, lease_seconds=self.settings.lease_seconds)
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
            materials=FakeMaterials(
                self.runs, self.accounts, self.integrations, lambda: self.held_keys, lambda: self.rekeyings
            ),
            accounts=self.accounts,
            integrations=self.integrations,
            unified=UnifiedMappings(self.mappings),
        )

    def worker_context(self) -> WorkerContext:
        return WorkerContext(
            clock=self.clock, settings=self.settings, dispatcher=self.dispatcher, is_stopping=lambda: self.is_stopping
        )

    def lifecycle(self) -> RunLifecycle:
        return RunLifecycle(
            moves=self.moves,
            runs=self.runs,
            contexts=self.contexts(),
            dispatcher=self.dispatcher,
            clock=self.clock,
            settings=self.settings,
        )

    def resumption(self, outbox: Outbox) -> Resumption:
        return Resumption(
            runs=self.moves, waits=self.waits, outbox=outbox, dispatcher=self.dispatcher, clock=self.clock
        )

    def fetching(self) -> FetchWorker:
        return FetchWorker(
            source=self.source,
            batches=BatchSource(self.spools, spool_bytes=self.settings.spool_bytes),
            leases=self.units,
            pages=self.pages,
            bounds=self.runs,
            backlog=self.deliveries,
            turns=self.turns,
            worker_context=self.worker_context(),
        )

    def delivering(self) -> DeliveryWorker:
        lifecycle, worker_context = self.lifecycle(), self.worker_context()
        self.sending = Sending(self.receiver, self.dispatcher, most=self.most_under_way)
        health = WebhookHealth(webhooks=self.webhooks, clock=self.clock, settings=self.settings)
        return DeliveryWorker(
            runs=self.runs,
            health=health,
            queue=self.deliveries,
            leases=self.units,
            keeper=self.keeper,
            sending=self.sending,
            ends=DeliveryEnds(
                queue=self.deliveries,
                leases=self.units,
                health=health,
                outcomes=DeliveryOutcomes(fail_run=lifecycle.fail, record_error=lifecycle.record_error),
                worker_context=worker_context,
            ),
            merging=BatchMerging(self.deliveries, self.settings),
            after=AfterSlice(
                settle=self.settled.append, note_broken=lambda run_id, name: self.broken.append((run_id, name))
            ),
            worker_context=worker_context,
        )

    def worker(self) -> UnitWorker:
        return UnitWorker(
            units=self.units,
            contexts=self.contexts(),
            fetching=self.fetching(),
            delivering=self.delivering(),
            keeper=self.keeper,
            lifecycle=self.lifecycle(),
            turns=self.turns,
            worker_context=self.worker_context(),
        )


def setting(resources: Sequence[JsonObject] = (), *, run_fields: JsonObject | None = None, **limits: Any) -> Setting:
    """Set up a run of these resources, by default of ``tickets``; ``limits`` are settings."""
    settings = Settings(database_url="", broker_url="", encryption_key="", **limits)
    made = Setting(settings)
    listed = {"resources": [{"method": "list", "persist": True, **item} for item in resources]} if resources else {}
    made.runs.add(run(**listed, **(run_fields or {})))
    return made
