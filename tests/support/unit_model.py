"""A model of a run's units, simple enough to be believed: what the store must say after any sequence of calls."""

from dataclasses import dataclass, field

from app.engine.runs.work import UnitKind
from app.engine.status import FINAL_UNIT_STATUSES, RunStatus, UnitStatus


@dataclass(slots=True)
class ModelUnit:
    """One unit."""

    kind: UnitKind
    resource: str | None
    status: UnitStatus
    token: int = 0
    pages: int = 0
    is_expired: bool = False
    is_asleep: bool = False

    @property
    def is_live(self) -> bool:
        return self.status not in FINAL_UNIT_STATUSES

    def release(self, status: UnitStatus) -> None:
        self.status, self.is_expired, self.is_asleep = status, False, False


@dataclass(slots=True)
class ModelRun:
    """One run to a webhook: its units, what they counted, and the events that wait."""

    backlog_limit: int
    status: RunStatus = RunStatus.RUNNING
    units: dict[str, ModelUnit] = field(default_factory=dict)
    fetched: dict[str, int] = field(default_factory=lambda: {"users": 0, "notes": 0})
    delivered: dict[str, int] = field(default_factory=lambda: {"users": 0, "notes": 0})
    pending: list[tuple[str, str | None, int]] = field(default_factory=list)
    """Event, resource and number of records, in order."""
    sent: list[str] = field(default_factory=list)

    @property
    def delivery_id(self) -> str:
        return next(id for id, unit in self.units.items() if unit.kind is UnitKind.DELIVERY)

    @property
    def delivery(self) -> ModelUnit:
        return self.units[self.delivery_id]

    @property
    def is_backlogged(self) -> bool:
        return sum(records > 0 for _, _, records in self.pending) >= self.backlog_limit

    def can_claim(self, unit_id: str) -> bool:
        unit = self.units[unit_id]
        is_free = unit.status is UnitStatus.READY and not unit.is_asleep
        is_lost = unit.status is UnitStatus.LEASED and unit.is_expired
        return (is_free or is_lost) and (not self.status.is_final or unit.kind is UnitKind.DELIVERY)

    def claim(self, unit_id: str) -> None:
        unit = self.units[unit_id]
        unit.release(UnitStatus.LEASED)
        unit.token += 1

    def holds(self, unit_id: str, token: int) -> bool:
        unit = self.units[unit_id]
        return unit.status is UnitStatus.LEASED and unit.token == token

    def write(self, unit_id: str, *, records: int, is_last: bool) -> None:
        unit = self.units[unit_id]
        assert unit.resource is not None
        unit.pages += 1
        unit.release(UnitStatus.DONE if is_last else UnitStatus.LEASED)
        self.fetched[unit.resource] += records
        if records:
            self.queue("record", unit.resource, records)

    def queue(self, event: str, resource: str | None = None, records: int = 0) -> None:
        self.pending.append((event, resource, records))
        if self.delivery.status is UnitStatus.IDLE:
            self.delivery.release(UnitStatus.READY)

    def deliver(self) -> None:
        event, resource, records = self.pending.pop(0)
        self.sent.append(event)
        self.delivery.release(UnitStatus.LEASED)
        if resource:
            self.delivered[resource] += records
        if not self.is_backlogged and all(event != "started" for event, _, _ in self.pending):
            for unit in self.units.values():
                if unit.status is UnitStatus.BLOCKED:
                    unit.release(UnitStatus.READY)

    def end(self, status: RunStatus) -> bool:
        """End the run; False when it has ended already."""
        if self.status.is_final:
            return False
        self.status = status
        for unit in self.units.values():
            if unit.is_live and (unit.kind is UnitKind.FETCH or status is RunStatus.STOPPED):
                unit.release(UnitStatus.CANCELLED)
                unit.token += 1
        if status is RunStatus.STOPPED:
            self.pending.clear()
        else:
            self.queue(str(status))
        return True

    def settle(self) -> None:
        if self.status.is_final:
            return
        live = [unit for unit in self.units.values() if unit.kind is UnitKind.FETCH and unit.is_live]
        if not live and not self.pending:
            self.end(RunStatus.COMPLETED)
        elif live and all(unit.is_asleep for unit in live):
            if self.status is not RunStatus.RATE_LIMITED:
                self.queue("rate_limited")
            self.status = RunStatus.RATE_LIMITED
        else:
            self.go_on()

    def go_on(self) -> None:
        """Be at work again; the webhook of a run that was not is told so."""
        if self.status is RunStatus.RATE_LIMITED:
            self.queue("updated")
        self.status = RunStatus.RUNNING
