"""The moves of runs in memory, under the real state machine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from app.engine.jobs.item_keys import KeyNote
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.records.outcomes import PageWarning
from app.engine.runs.books import Counters
from app.engine.runs.landing import AwaitedDestination
from app.engine.runs.settling import Progress, ResourceState
from app.engine.runs.work import ErrorDraft, EventDraft, Pass, UnitDraft, UnitKind, Vanished, WakeUp
from app.engine.status import FINAL_UNIT_STATUSES, ResourceStatus, RunStatus, UnitStatus, allowed_origins
from tests.unit.services.service_world import DELIVERY_UNIT, FakeDeliveries, FakeRuns, FakeUnits


@dataclass
class FakeMoves:
    """The moves of runs under the real state machine."""

    runs: FakeRuns
    units: FakeUnits
    deliveries: FakeDeliveries
    resources: list[ResourceState] = field(default_factory=list)
    errors: list[ErrorDraft] = field(default_factory=list)
    vanished: Vanished = field(default_factory=lambda: Vanished(held=0, vanished=0))
    deleted: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    """Resources with requests that failed."""
    held: frozenset[str] | None = None
    """Resources whose increment does not move on, once that was decided."""
    recorded: set[tuple[str, str, str]] = field(default_factory=set)
    """By run, code and message: what was recorded beside a run's own errors."""
    left: str | None = None
    has_begun: bool = True
    has_decided_deletions: bool = False
    watchers: list[str] = field(default_factory=list)
    """Webhooks that want to be told of the end of any run."""
    announced: list[EventDraft] = field(default_factory=list)
    held_keys: dict[str, JsonObject] = field(default_factory=dict)
    has_old_records: bool = False
    replaced_only: list[bool] = field(default_factory=list)
    """For each counting of what has vanished, whether only what was seen under another id counted."""
    warnings: list[tuple[str, PageWarning]] = field(default_factory=list)
    breaks_for: str = ""
    """The run whose row can not be read."""
    key_notes: list[KeyNote] = field(default_factory=list)
    closed_spools: list[str] = field(default_factory=list)
    """Ids of resources whose spools were closed, each once."""
    awaited: list[AwaitedDestination] = field(default_factory=list)
    """The destinations that read what the run has changed."""
    landed: list[str] | None = None
    """Those at which its records were counted."""
    reopened: list[bool] = field(default_factory=list)
    """For each resume, whether it took up the errors only."""

    def move(
        self,
        run_id: str,
        target: RunStatus,
        *,
        error: JsonObject | None = None,
        retry_after: datetime | None = None,
    ) -> bool:
        run = self.runs.load(run_id)
        if run is None or run.status not in allowed_origins(target):
            return False
        ended = datetime(2026, 3, 1, 12, tzinfo=UTC) if target.is_final else None
        facts = {"error": error or run.error, "retry_after": retry_after, "finished_at": ended}
        self.runs.add(replace(run, status=target, **facts))  # type: ignore[arg-type]
        for unit in self.units.rows.values():
            is_cancelled = target.is_final and unit.draft.kind is UnitKind.FETCH
            if is_cancelled and unit.status not in FINAL_UNIT_STATUSES:
                unit.status = UnitStatus.CANCELLED
        return True

    def take_up(self, run_id: str, *, daemon_id: str) -> bool:
        run = self.runs.load(run_id)
        if run is None or run.status is not RunStatus.CREATED or run.waiting_on:
            return False
        self.runs.add(replace(run, status=RunStatus.RUNNING, daemon_id=daemon_id))
        return True

    def find_next_in_line(self, run_id: str) -> tuple[str, str] | None:
        if not self.runs.rows[run_id].status.is_final:
            return None
        return next(
            ((run.id, "daemon-group.blue") for run in self.runs.rows.values() if run.waiting_on == run_id), None
        )

    def unblock(self, run_id: str, queue: str) -> list[WakeUp]:
        return [] if self.deliveries.waiting else self.deliveries.unblocked(run_id)

    def start(
        self,
        run_id: str,
        *,
        units: Sequence[UnitDraft],
        events: Sequence[EventDraft],
        errors: Sequence[ErrorDraft],
        keys: Sequence[KeyNote] = (),
    ) -> bool:
        run = self.runs.load(run_id)
        if run is None or run.status is not RunStatus.RUNNING or self.units.rows:
            return False
        self.units.add(*units)
        self.deliveries.add(*events)
        self.errors.extend(errors)
        self.key_notes.extend(keys)
        return True

    def record_error(self, run_id: str, error: ErrorDraft) -> None:
        key = (run_id, error.code, error.message)
        if run_id in self.runs.rows and key not in self.recorded:
            self.recorded.add(key)
            self.errors.append(error)

    def lock(self, run_id: str) -> "FakeLockedRun":
        if run_id == self.breaks_for:
            raise ValueError("no such error handling")
        return FakeLockedRun(self, run_id)


class FakeLockedRun:
    """A run that nobody else touches."""

    def __init__(self, moves: FakeMoves, run_id: str) -> None:
        self._moves = moves
        self._run_id = run_id
        self.run = moves.runs.load(run_id)
        self.has_begun = moves.has_begun
        self.has_decided_deletions = moves.has_decided_deletions
        self.watchers: Sequence[str] = ()
        self.is_rekeying = any(row.rekeying is not None for row in moves.resources)

    def read_held_keys(self, ended: Pass) -> JsonObject | None:
        return self._moves.held_keys.get(ended.resource)

    def has_old_records(self, ended: Pass) -> bool:
        return self._moves.has_old_records

    def replace_keys(self, ended: Pass, keys: Sequence[JsonObject]) -> None:
        self._moves.held_keys[ended.resource] = {**self._moves.held_keys[ended.resource], "keys": list(keys)}

    def read_awaited(self) -> Sequence[AwaitedDestination]:
        return self._moves.awaited

    def begin_landing(self) -> None:
        run = self._moves.runs.rows[self._run_id]
        self._moves.runs.add(replace(run, landing_since=datetime(2026, 3, 1, 12, tzinfo=UTC)))
        self._moves.has_decided_deletions = True

    def note_landed(self, landed: Sequence[AwaitedDestination]) -> None:
        self._moves.landed = [one.id for one in landed]

    def warn(self, resource_id: str, warning: PageWarning) -> None:
        self._moves.warnings.append((resource_id, warning))

    def __enter__(self) -> "FakeLockedRun":
        return self

    def read_run(self) -> SyncJobRun:
        return self._moves.runs.rows[self._run_id]

    def __exit__(self, *exception: object) -> None:
        pass

    def progress(self) -> Progress:
        return Progress(list(self._moves.resources), len(self._moves.deliveries.waiting))

    def end_resources(self, ended: Mapping[str, ResourceStatus]) -> None:
        rows = self._moves.resources
        rows[:] = [replace(row, status=ended.get(row.id, row.status)) for row in rows]

    def close_spool(self, resource_id: str) -> str | None:
        if resource_id in self._moves.closed_spools:
            return None
        self._moves.closed_spools.append(resource_id)
        return f"unit-of-{resource_id}"

    def find_unread_resources(self) -> Sequence[str]:
        return self._moves.unread

    def hold_increments(self, names: Collection[str]) -> None:
        self._moves.held = frozenset(names)

    def find_first_error(self, resources: Sequence[str] = ()) -> JsonObject | None:
        blamed = [error for error in self._moves.errors if not resources or error.resource in resources]
        return {"code": blamed[0].code} if blamed else None

    def move(self, target: RunStatus, *, error: JsonObject | None = None, retry_after: datetime | None = None) -> bool:
        has_moved = self._moves.move(self._run_id, target, error=error, retry_after=retry_after)
        is_told = has_moved and target in (RunStatus.COMPLETED, RunStatus.FAILED)
        self.watchers = self._moves.watchers if is_told else ()
        return has_moved

    def announce(self, events: Sequence[EventDraft]) -> None:
        self._moves.announced.extend(events)

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        self._moves.deliveries.add(*events)
        return DELIVERY_UNIT if DELIVERY_UNIT in self._moves.units.rows else None

    def count_vanished(self, ended: Pass) -> Vanished:
        self._moves.replaced_only.append(ended.replaced_only)
        return self._moves.vanished

    def delete_vanished(self, ended: Pass, *, count: int) -> None:
        self._moves.deleted[ended.resource] = count

    def queue_vanished(self, ended: Pass, draft: Callable[[Sequence[str]], Sequence[EventDraft]]) -> str | None:
        self._moves.has_decided_deletions = True
        self._moves.deleted[ended.resource] = self._moves.vanished.vanished
        return self.queue_events(draft([f"gone-{number}" for number in range(self._moves.vanished.vanished)]))

    def mend(self, queue: str) -> list[WakeUp]:
        return self._moves.unblock(self._run_id, queue)

    def describe_remains(self) -> str | None:
        return self._moves.left

    def has_failed_requests(self) -> bool:
        return any("failed" in unit.frontier for unit in self._moves.units.rows.values())

    def reopen(self, *, errors_only: bool, queue: str) -> int:
        self.move(RunStatus.CREATED)
        self._moves.reopened.append(errors_only)
        return 7

    def record_errors(self, errors: Sequence[ErrorDraft]) -> None:
        self._moves.errors.extend(errors)


def resource_state(name: str = "tickets", **changes: Any) -> ResourceState:
    """Make a resource whose only page of three records is written."""
    facts: dict[str, Any] = {
        "id": f"id-of-{name}",
        "name": name,
        "resource": name,
        "method": "list",
        "parent_name": None,
        "persist": True,
        "status": ResourceStatus.RUNNING,
        "started_at": None,
        "counters": Counters(pages=1, fetched=3, created=3),
        "live_units": 0,
        "parked_units": 0,
    }
    return ResourceState(**{**facts, **changes})
