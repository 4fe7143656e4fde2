"""Runs, units, events and pages in memory, under the rules of the real stores: leases and fences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.engine.errors import LeaseLostError
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.records.rows import RecordRow
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import (
    Claim,
    ClaimTerms,
    CrowdedOut,
    ErrorDraft,
    EventDraft,
    PageWrite,
    PendingEvent,
    UnitDraft,
    UnitKind,
    WakeUp,
)
from app.engine.status import DeliveryStatus, UnitStatus
from app.engine.webhooks import events
from app.engine.webhooks.merging import Line, Waiting
from tests.unit.services.service_tables import NOON

DELIVERY_UNIT = "delivery-unit"
ANY_TERMS = ClaimTerms(owner="me", lease_seconds=15, most_of_account=100, most_of_webhook=100)


@dataclass
class FakeRuns:
    """Runs by id, and the ids of their resources' rows."""

    rows: dict[str, SyncJobRun] = field(default_factory=dict)
    frozen: list[datetime] = field(default_factory=list)
    later_bounds: dict[str, datetime | None] = field(default_factory=dict)
    """Of resources that ask from later on than their run."""

    def add(self, run: SyncJobRun) -> SyncJobRun:
        self.rows[run.id] = run
        return run

    def load(self, run_id: str) -> SyncJobRun | None:
        return self.rows.get(run_id)

    def freeze_upper_bound(self, run_id: str, server_date: datetime) -> None:
        self.frozen.append(server_date)

    def resource_ids(self, run_id: str) -> dict[str, str]:
        names = [item.get("name") or item["resource"] for item in self.rows[run_id].resources]
        return {name: f"id-of-{name}" for name in names}


@dataclass
class Unit:
    """One unit as it is stored."""

    draft: UnitDraft
    run_id: str = "run"
    status: UnitStatus = UnitStatus.READY
    frontier: JsonObject = field(default_factory=dict)
    fencing_token: int = 0
    attempts: int = 0
    idle_slices: int = 0
    wake_seconds: float = 0.0
    owner: str | None = None
    rung: int = 0
    """The larger, the later it was rung."""


@dataclass
class FakeUnits:
    """Units with leases; ``on_hold`` happens at every prolongation."""

    rows: dict[str, Unit] = field(default_factory=dict)
    holds: int = 0
    kept: list[str] = field(default_factory=list)
    waiting_for_webhook: list[str] = field(default_factory=list)
    on_hold: Callable[[], object] = lambda: None

    def add(self, *drafts: UnitDraft) -> None:
        self.rows |= {draft.id: Unit(draft, status=draft.status) for draft in drafts}

    def lose(self, unit_id: str) -> None:
        """Let another worker take the unit."""
        self.rows[unit_id].fencing_token += 1

    def find_crowded_out(self, unit_id: str) -> CrowdedOut | None:
        unit = self.rows[unit_id]
        if unit.status is not UnitStatus.READY:
            return None
        return CrowdedOut(kind=unit.draft.kind, account_id="account", dispatch=self._dispatch(unit_id))

    def take_next_of_webhook(self, webhook_id: str, *, most_of_webhook: int) -> list[WakeUp]:
        return [self._dispatch(id) for id in self.waiting_for_webhook]

    def take_next_of_account(self, account_id: str) -> WakeUp | None:
        ready = [id for id, unit in self.rows.items() if unit.status is UnitStatus.READY]
        if not ready:
            return None
        unit_id = min(ready, key=lambda id: self.rows[id].rung)
        self._mark_rung(unit_id)
        return self._dispatch(unit_id)

    def _mark_rung(self, unit_id: str) -> None:
        self.rows[unit_id].rung = 1 + max(unit.rung for unit in self.rows.values())

    def _dispatch(self, unit_id: str) -> WakeUp:
        return WakeUp(run_id=self.rows[unit_id].run_id, unit_id=unit_id, queue="daemon-group.blue")

    def claim(self, unit_id: str, terms: ClaimTerms = ANY_TERMS) -> Claim | None:
        unit = self.rows[unit_id]
        leased = [other for other in self.rows.values() if other.status is UnitStatus.LEASED]
        of_kind = [other for other in leased if other.draft.kind is unit.draft.kind]
        if unit.draft.kind is UnitKind.FETCH:
            # An owner's share of its account; a webhook's is that of all owners.
            of_kind, most = [other for other in of_kind if other.owner == terms.owner], terms.most_of_account
        else:
            most = terms.most_of_webhook
        if unit.status is not UnitStatus.READY or len(of_kind) >= most:
            return None
        unit.status, unit.owner, unit.wake_seconds = UnitStatus.LEASED, terms.owner, 0.0
        unit.fencing_token += 1
        unit.attempts += 1
        return Claim(
            unit_id=unit_id,
            run_id=unit.run_id,
            resource_id=unit.draft.resource_id,
            kind=unit.draft.kind,
            fencing_token=unit.fencing_token,
            attempts=unit.attempts,
            elements=unit.draft.elements,
            frontier=unit.frontier,
            idle_slices=unit.idle_slices,
        )

    def claim_in_turn(self, unit_id: str, terms: ClaimTerms) -> Claim | None:
        claim = self.claim(unit_id, terms)
        if claim is None:
            self.waiting_for_webhook.append(unit_id)
        return claim and replace(claim, webhook_id="webhook", is_crowded=True)

    def claim_next(self, resource_id: str, terms: ClaimTerms = ANY_TERMS) -> Claim | None:
        unit_id = self.find_next_of_resource(resource_id)
        return self.claim(unit_id, terms) if unit_id else None

    def find_next_of_resource(self, resource_id: str) -> str | None:
        ready = (id for id, unit in self.rows.items() if unit.status is UnitStatus.READY)
        return next((id for id in ready if self.rows[id].draft.resource_id == resource_id), None)

    def hold(self, claim: Claim, *, lease_seconds: float) -> None:
        self.held(claim)
        self.holds += 1
        self.on_hold()

    def keep(self, claim: Claim, *, lease_seconds: float) -> bool:
        try:
            self.held(claim)
        except LeaseLostError:
            return False
        self.kept.append(claim.unit_id)
        return True

    def held(self, claim: Claim) -> Unit:
        """Give the unit of a lease; raise LeaseLostError when it is somebody else's."""
        unit = self.rows[claim.unit_id]
        if unit.fencing_token != claim.fencing_token or unit.status is not UnitStatus.LEASED:
            raise LeaseLostError
        return unit

    def hand_back(
        self, claim: Claim, *, wake_seconds: float = 0.0, end: SpellEnd = SpellEnd.TURN, is_idle: bool = False
    ) -> bool:
        try:
            unit = self.held(claim)
        except LeaseLostError:
            return False
        unit.status, unit.wake_seconds = UnitStatus.READY, wake_seconds
        unit.attempts = unit.attempts if end is SpellEnd.RETRY else 0
        unit.idle_slices += is_idle
        self._mark_rung(claim.unit_id)
        return True


@dataclass
class FakeDeliveries:
    """The events of a run, in line for its webhook."""

    units: FakeUnits
    waiting: list[PendingEvent] = field(default_factory=list)
    delivered: dict[str, int | None] = field(default_factory=dict)
    dead: dict[str, tuple[int | None, str | None]] = field(default_factory=dict)
    ends: dict[str, DeliveryStatus] = field(default_factory=dict)
    late: list[EventDraft] = field(default_factory=list)
    """Events that come at the very moment when the unit wants to go idle."""
    after_settle: Callable[[], object] = lambda: None
    growing_looks: int = 0
    """How often a look at the line finds that somebody fetches."""
    looks: int = 0

    def add(self, *drafts: EventDraft, created_at: Any = NOON) -> None:
        for draft in drafts:
            facts = {name: getattr(draft, name) for name in ("id", "webhook_id", "event", "body", "resource_id")}
            # As the store has it: only what is numbered is merged.
            is_open = draft.log_sequence is not None
            known = {"records": draft.records, "attempts": 0, "created_at": created_at, "is_open": is_open}
            self.waiting.append(PendingEvent(**facts, **known))

    def find_next_event(self, run_id: str) -> PendingEvent | None:
        return self.waiting[0] if self.waiting else None

    def read_line(self, run_id: str, webhook_id: str) -> Line | None:
        self.looks += 1
        if not self.waiting:
            return None
        waiting = [
            Waiting(id=one.id, resource_id=one.resource_id, is_open=one.is_open, records=1, size=1)
            for one in self.waiting
        ]
        return Line(waiting=waiting, age_seconds=0.0, is_fetched=self.looks <= self.growing_looks)

    def merge(self, claim: Claim, webhook_id: str, *, lease_seconds: float) -> None:
        """Merge all that wait into the last of them."""
        self.units.held(claim)
        *others, last = [event for event in self.waiting if event.is_open]
        for event in others:
            self.waiting.remove(event)
        self.waiting[self.waiting.index(last)] = replace(last, records=len(others) + 1, is_open=False)

    def settle(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None,
        error: str | None,
        lease_seconds: float,
        backlog_limit: int,
    ) -> list[WakeUp]:
        self.units.held(claim)
        self.waiting.remove(event)
        self.ends[event.id] = end
        if end is DeliveryStatus.DELIVERED:
            self.delivered[event.id] = status_code
        else:
            self.dead[event.id] = (status_code, error)
        self.after_settle()
        return [] if self.is_long(claim.run_id, limit=backlog_limit) else self.unblocked(claim.run_id)

    def split(
        self,
        claim: Claim,
        event: PendingEvent,
        parts: Sequence[EventDraft],
        *,
        status_code: int | None,
        error: str,
        lease_seconds: float,
    ) -> None:
        self.units.held(claim)
        self.ends[event.id] = DeliveryStatus.SPLIT
        self.waiting.remove(event)
        behind, self.waiting = self.waiting, []
        self.add(*parts, created_at=event.created_at)
        self.waiting += behind

    def record_failed_attempt(self, event: PendingEvent, *, status_code: int | None, error: str) -> None:
        self.waiting[self.waiting.index(event)] = replace(event, attempts=event.attempts + 1)

    def go_idle(self, claim: Claim, *, run_is_final: bool, lease_seconds: float) -> bool:
        unit = self.units.held(claim)
        self.add(*self.late)
        self.late = []
        if self.waiting:
            return False
        unit.status = UnitStatus.DONE if run_is_final else UnitStatus.IDLE
        return True

    def is_long(self, run_id: str, *, limit: int) -> bool:
        return len([event for event in self.waiting if event.records]) >= limit

    def wait_for_backlog(self, claim: Claim, *, backlog_limit: int) -> bool:
        if not self.is_long(claim.run_id, limit=backlog_limit):
            return False
        self.units.held(claim).status = UnitStatus.BLOCKED
        return True

    def unblocked(self, run_id: str) -> list[WakeUp]:
        if any(event.event == events.STARTED for event in self.waiting):
            return []
        blocked = {id: unit for id, unit in self.units.rows.items() if unit.status is UnitStatus.BLOCKED}
        for unit in blocked.values():
            unit.status = UnitStatus.READY
        return [WakeUp(run_id=run_id, unit_id=id, queue="rapid-bridge") for id in blocked]


@dataclass
class FakePages:
    """What page writes have led to; ``before_write`` happens when one begins."""

    units: FakeUnits
    deliveries: FakeDeliveries
    journal: list[str] = field(default_factory=list)
    writes: list[PageWrite] = field(default_factory=list)
    before_write: Callable[[], object] = lambda: None
    after_write: Callable[[], object] = lambda: None

    def has_paged(self, resource_id: str) -> bool:
        raise AssertionError(resource_id)

    @property
    def records(self) -> list[RecordRow]:
        return [row for write in self.writes for row in write.records.rows(write.records.ids)]

    @property
    def record_ids(self) -> list[str]:
        return [row.remote_id for row in self.records]

    @property
    def errors(self) -> list[ErrorDraft]:
        return [error for write in self.writes for error in write.errors]

    def write(self, page: PageWrite) -> str | None:
        self.before_write()
        unit = self.units.held(page.claim)
        unit.frontier, unit.status, unit.attempts = page.frontier, page.end or unit.status, 0
        unit.idle_slices = 0 if page.has_progress else unit.idle_slices
        self.units.add(*page.children)
        self.deliveries.add(*page.events)
        self.writes.append(page)
        self.journal.append("write")
        self.after_write()
        return DELIVERY_UNIT if page.events else None
