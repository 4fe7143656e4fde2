"""Units, leases, fences and statuses on a real Postgres do what a simple model says, in any order of calls."""

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.runs.books import Counters
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import Claim, ErrorDraft, PageWrite, UnitDraft, UnitKind
from app.engine.status import FINAL_UNIT_STATUSES, DeliveryStatus, RunStatus, UnitStatus
from app.engine.webhooks import events
from app.engine.webhooks.events import Envelope
from app.services.maintenance.ports import LostBefore
from app.store.deliveries.deliveries import DeliveryStore
from app.store.runs.moves import RunMoves
from app.store.runs.runs import RunStore
from app.store.units.pages import PageStore
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.support.pump import Pump, World
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS
from tests.support.unit_model import ModelRun, ModelUnit

JOB = next(job for job in JOBS if job.name == "pair-to-webhook")
BACKLOG = 2
LEASE = 60.0
# The proofs' leader rings through this one queue.
ALL_LOST = {"rapid-bridge": LostBefore(at=datetime(9999, 1, 1, tzinfo=UTC), is_empty=True)}
SLEEP = 1000.0
IS_LONG = os.environ.get("PROOFS") == "long"
PROFILE = settings(
    max_examples=300 if IS_LONG else 15,
    stateful_step_count=60 if IS_LONG else 30,
    deadline=None,
    derandomize=not IS_LONG,
    suppress_health_check=list(HealthCheck),
)

_UNITS = "select id, kind, status, fencing_token, pages, lease_owner, lease_expires_at, wake_at from unit"
_RESOURCES = "select name, status, fetched, queued, delivered, dead_lettered from run_resource"
_EVERYTHING = (
    "select status, error, finished_at from sync_job_run where id = :run_id",
    f"{_RESOURCES} where run_id = :run_id order by name",
    f"{_UNITS} where run_id = :run_id order by id",
    "select id, status, attempts from delivery where run_id = :run_id order by id",
    "select id, message from run_error where run_id = :run_id order by id",
)


class UnitMachine(RuleBasedStateMachine):
    """Two resources of one webhook run; whoever has claimed a unit once may come back with that claim for ever."""

    database: PumpDatabase
    fetching: Bundle[Claim] = Bundle("fetching")
    delivering: Bundle[Claim] = Bundle("delivering")

    @initialize(is_agreed=st.sampled_from([True, True, True, False]))
    def begin(self, is_agreed: bool) -> None:
        self.world = World(self.database, JOB)
        self.run_id = self.world.post()
        self.pump = Pump(self.world)
        engine = self.database.engine
        self.units, self.pages, self.queue = UnitStore(engine), PageStore(engine), DeliveryStore(engine)
        self.moves, self.runs = RunMoves(engine), RunStore(engine)
        self.lifecycle = self.pump.daemon.lifecycle
        self.lifecycle.mark_running(self.run_id, daemon_id="machine")
        self.lifecycle.start(self.run_id)
        self.tokens: dict[str, int] = {}
        self.steps = 0
        run = self.runs.load(self.run_id)
        assert run is not None and run.webhook_id is not None
        self.account_id = run.integrated_account_id
        rows = self._rows("select id, name from run_resource where run_id = :run_id")
        self.names = {str(row["id"]): row["name"] for row in rows}
        self.resource_ids = {name: id for id, name in self.names.items()}
        now = run.created_at
        self.envelope = Envelope(environment_id=run.environment_id, webhook_id=run.webhook_id, created_at=now)
        self.error = ErrorDraft(id=new_id(), resource=None, method=None, code="x", message="x", details={}, at=now)
        self.model = ModelRun(backlog_limit=BACKLOG)
        for row in self._rows("select id, kind, status, resource_id from unit where run_id = :run_id"):
            name = self.names.get(str(row["resource_id"]))
            self.model.units[str(row["id"])] = ModelUnit(UnitKind(row["kind"]), name, UnitStatus(row["status"]))
        self.model.queue("created")
        self.model.queue("started")
        if is_agreed:
            self.deliver_all()

    @rule(target=fetching, data=st.data())
    def claim_to_fetch(self, data: st.DataObject) -> Any:
        units = [id for id, unit in self.model.units.items() if unit.kind is UnitKind.FETCH]
        free = [id for id in units if self.model.can_claim(id)]
        return self._claim(data.draw(st.sampled_from(sorted(free or units))))

    @rule(target=delivering)
    def claim_to_deliver(self) -> Any:
        return self._claim(self.model.delivery_id)

    @rule(target=fetching, claim=fetching)
    def take_over_fetching(self, claim: Claim) -> Any:
        self._run_out(claim.unit_id)
        return self._claim(claim.unit_id)

    @rule(target=fetching, claim=fetching)
    def outrun(self, claim: Claim) -> Any:
        """Another worker takes over, and then the first one wakes up."""
        self._run_out(claim.unit_id)
        taken = self._claim(claim.unit_id)
        self.write_page(claim, records=1, is_last=False, children=1)
        self.hold(claim)
        self.hand_back(claim, wake_seconds=0.0, has_failed=False)
        return taken

    @rule(claim=fetching, pages=st.integers(2, 4))
    def fill_the_backlog(self, claim: Claim, pages: int) -> None:
        for _ in range(pages):
            self.write_page(claim, records=2, is_last=False, children=0)
        self.wait_for_backlog(claim)
        if self.model.can_claim(self.model.delivery_id):
            self.deliver(self._claim(self.model.delivery_id))

    @rule(target=delivering, claim=delivering)
    def take_over_delivering(self, claim: Claim) -> Any:
        self._run_out(claim.unit_id)
        return self._claim(claim.unit_id)

    @rule(claim=fetching, records=st.integers(0, 2), is_last=st.booleans(), children=st.integers(0, 2))
    def write_page(self, claim: Claim, records: int, is_last: bool, children: int) -> None:
        name = self.names[str(claim.resource_id)]
        drafts = self._children(children) if name == "users" else []
        page = self._page(claim, name, records, is_last, drafts)
        if not self._fenced(claim, lambda: self.pages.write(page)):
            return
        self.model.write(claim.unit_id, records=records, is_last=is_last)
        for draft in drafts:
            self.model.units[draft.id] = ModelUnit(UnitKind.FETCH, "notes", UnitStatus.READY)

    @rule(claim=fetching | delivering, wake_seconds=st.sampled_from([0.0, SLEEP]), has_failed=st.booleans())
    def hand_back(self, claim: Claim, wake_seconds: float, has_failed: bool) -> None:
        may = self.model.holds(claim.unit_id, claim.fencing_token)
        before = self._everything()

        end = SpellEnd.RETRY if has_failed and not wake_seconds else SpellEnd.TURN
        did = self.units.hand_back(claim, wake_seconds=wake_seconds, end=end)

        assert did == may
        if not did:
            assert self._everything() == before
            return
        unit = self.model.units[claim.unit_id]
        unit.release(UnitStatus.READY)
        unit.is_asleep = wake_seconds > 0

    @rule(claim=fetching | delivering)
    def hold(self, claim: Claim) -> None:
        if self._fenced(claim, lambda: self.units.hold(claim, lease_seconds=LEASE)):
            self.model.units[claim.unit_id].is_expired = False

    @rule(claim=fetching)
    def wait_for_backlog(self, claim: Claim) -> None:
        holds = self.model.holds(claim.unit_id, claim.fencing_token)
        before = self._everything()

        blocked = self.queue.wait_for_backlog(claim, backlog_limit=BACKLOG)

        assert blocked == self.model.is_backlogged
        if blocked and holds:
            self.model.units[claim.unit_id].release(UnitStatus.BLOCKED)
        else:
            assert self._everything() == before

    @rule(claim=delivering)
    def deliver(self, claim: Claim) -> None:
        event = self.queue.find_next_event(self.run_id)
        assert (event is None) == (not self.model.pending)
        if event is None:
            self._go_idle(claim)
            return
        kind, resource, records = self.model.pending[0]
        assert (event.event, event.records) == (f"sync_job_run:{kind}", records)
        assert self.names.get(str(event.resource_id)) == resource
        if self._fenced(claim, lambda: self._settle_event(claim, event)):
            self.model.deliver()

    @rule()
    def deliver_all(self) -> None:
        if self.model.can_claim(self.model.delivery_id):
            claim = self._claim(self.model.delivery_id)
            while self.model.pending:
                self.deliver(claim)
            self._go_idle(claim)

    @rule()
    def write_all(self) -> None:
        for unit_id in [id for id, unit in self.model.units.items() if unit.kind is UnitKind.FETCH]:
            if self.model.can_claim(unit_id):
                self.write_page(self._claim(unit_id), records=1, is_last=True, children=0)
        self.settle()

    @rule()
    def let_timers_pass(self) -> None:
        self._execute("update unit set wake_at = now() - interval '1 s' where wake_at is not null and run_id = :run_id")
        for unit in self.model.units.values():
            unit.is_asleep = False

    @rule()
    def settle(self) -> None:
        self.lifecycle.settle(self.run_id)
        self.model.settle()

    @rule()
    def sweep_and_begin_again(self) -> None:
        before = self._everything()
        wake_ups = self.units.dispatch_due(ALL_LOST, ring_after_seconds=0.0, limit=500)
        assert self._everything() == before
        mine = {dispatch.unit_id for dispatch in wake_ups if dispatch.run_id == self.run_id}
        assert all(self.model.units[unit_id].is_live for unit_id in mine)

        assert not self.lifecycle.mark_running(self.run_id, daemon_id="late")
        assert self.lifecycle.start(self.run_id) is None
        assert self._everything() == before

    @rule()
    def park_all(self) -> None:
        """Let all work of the run wait for the upstream's limit."""
        for unit_id in [id for id, unit in self.model.units.items() if unit.kind is UnitKind.FETCH]:
            if self.model.can_claim(unit_id):
                self.hand_back(self._claim(unit_id), wake_seconds=SLEEP, has_failed=False)
        self.settle()

    @rule()
    def go_on(self) -> None:
        run = self.runs.load(self.run_id)
        assert run is not None
        assert self.lifecycle.unpark(run) == (self.model.status is RunStatus.RATE_LIMITED)
        if self.model.status is RunStatus.RATE_LIMITED:
            self.model.go_on()

    @precondition(lambda self: self.steps > 12)
    @rule()
    def stop(self) -> None:
        assert self.lifecycle.stop(self.run_id) == self.model.end(RunStatus.STOPPED)

    @precondition(lambda self: self.steps > 12)
    @rule()
    def fail(self) -> None:
        self.lifecycle.fail(self.run_id, self.error)
        self.model.end(RunStatus.FAILED)

    @invariant()
    def units_are_as_the_model_says(self) -> None:
        self.steps += 1
        rows = {str(row["id"]): row for row in self._rows(f"{_UNITS} where run_id = :run_id")}
        assert {id: (row["status"], row["fencing_token"], row["pages"]) for id, row in rows.items()} == {
            id: (unit.status, unit.token, unit.pages) for id, unit in self.model.units.items()
        }
        for id, row in rows.items():
            assert row["fencing_token"] >= self.tokens.get(id, 0)
            assert (row["lease_expires_at"] is not None) == (row["status"] == UnitStatus.LEASED)
            self.tokens[id] = row["fencing_token"]

    @invariant()
    def counters_are_as_the_model_says(self) -> None:
        for row in self._rows(f"{_RESOURCES} where run_id = :run_id"):
            assert row["fetched"] == row["queued"] == self.model.fetched[row["name"]]
            assert row["delivered"] == self.model.delivered[row["name"]]

    @invariant()
    def run_is_as_the_model_says(self) -> None:
        (row,) = self._rows("select status, finished_at from sync_job_run where id = :run_id")
        assert row["status"] == self.model.status
        assert (row["finished_at"] is not None) == self.model.status.is_final
        if not self.model.status.is_final:
            return
        for unit in self.model.units.values():
            assert unit.kind is UnitKind.DELIVERY or unit.status in FINAL_UNIT_STATUSES
        if self.model.status is RunStatus.COMPLETED:
            assert self.model.fetched == self.model.delivered
            assert {row["status"] for row in self._rows(f"{_RESOURCES} where run_id = :run_id")} == {"completed"}

    def teardown(self) -> None:
        if hasattr(self, "pump"):
            self.moves.move(self.run_id, RunStatus.STOPPED)
            self.pump.__exit__()

    def _claim(self, unit_id: str) -> Any:
        may = self.model.can_claim(unit_id)
        before = self._everything()

        claim = self.units.claim(unit_id, terms(lease_seconds=LEASE, most_of_account=100))

        assert (claim is not None) == may
        if claim is None:
            assert self._everything() == before
            return multiple()
        self.model.claim(unit_id)
        assert claim.fencing_token == self.model.units[unit_id].token
        return claim

    def _run_out(self, unit_id: str) -> None:
        if self.model.units[unit_id].status is UnitStatus.LEASED:
            self._execute("update unit set lease_expires_at = now() - interval '1 s' where id = :id", id=unit_id)
            self.model.units[unit_id].is_expired = True

    def _go_idle(self, claim: Claim) -> None:
        is_final = self.model.status.is_final
        if self._fenced(claim, lambda: self.queue.go_idle(claim, run_is_final=is_final, lease_seconds=LEASE)):
            self.model.delivery.release(UnitStatus.DONE if is_final else UnitStatus.IDLE)

    def _fenced(self, claim: Claim, act: Any) -> bool:
        """Do what needs the lease; it must be refused, and change nothing, exactly when the lease is gone."""
        may = self.model.holds(claim.unit_id, claim.fencing_token)
        before = self._everything()
        try:
            act()
        except LeaseLostError:
            assert not may
            assert self._everything() == before
            return False
        assert may
        return True

    def _settle_event(self, claim: Claim, event: Any) -> None:
        self.queue.settle(
            claim,
            event,
            DeliveryStatus.DELIVERED,
            status_code=200,
            error=None,
            lease_seconds=LEASE,
            backlog_limit=BACKLOG,
        )

    def _children(self, count: int) -> list[UnitDraft]:
        return [UnitDraft(id=new_id(), resource_id=self.resource_ids["notes"], elements=[{}]) for _ in range(count)]

    def _page(self, claim: Claim, name: str, records: int, is_last: bool, children: list[UnitDraft]) -> PageWrite:
        event = events.draft_event(
            self.envelope,
            id=new_id(),
            event=events.RECORD,
            payload={"records": [{}] * records},
            resource_id=claim.resource_id,
            records=records,
        )
        return PageWrite(
            claim=claim,
            frontier={"next": 1},
            end=UnitStatus.DONE if is_last else None,
            lease_seconds=LEASE,
            account_id=self.account_id,
            resource=name,
            events=[event] if records else [],
            children=children,
            counters=Counters(pages=1, fetched=records, queued=records),
        )

    def _everything(self) -> list[Any]:
        return [self._rows(sql) for sql in _EVERYTHING]

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with self.database.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), {"run_id": self.run_id}).mappings()]

    def _execute(self, sql: str, **values: str) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(text(sql), {**values, "run_id": self.run_id})


@pytest.mark.timeout(3600 if IS_LONG else 600)
def test_units_behave_as_the_model(pump_database: PumpDatabase) -> None:
    machine = type("BoundUnitMachine", (UnitMachine,), {"database": pump_database})

    run_state_machine_as_test(machine, settings=PROFILE)
