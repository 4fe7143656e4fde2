"""Forgetting: each kind a duty of its own, in batches at one pace; what can not be removed is found and passed over."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from app.engine.errors import StoreUnavailableError
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, Pace
from app.services.maintenance.ports import ExpiredRun, PrunedRuns
from app.services.maintenance.retention import BATCH, RUNS_AT_ONCE, Retention, RowsLeftError
from app.settings import Settings

SETTINGS = Settings(database_url="", broker_url="", encryption_key="")
KINDS = {
    *("bodies", "tombstones", "told", "told to nobody", "keys", "messages", "daemons", "fires", "calls"),
    *("announcements", "notifications", "incidents", "audit entries", "runs"),
}


@dataclass
class Clock:
    """Time that passes with each batch."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakePrunableRows:
    """Counts what is left; rows of one kind are numbered, and some of them break the batch that they are in."""

    clock: Clock
    rows: dict[str, list[int]] = field(default_factory=dict)
    broken: frozenset[int] = frozenset()
    runs: dict[str, int] = field(default_factory=dict)
    broken_runs: frozenset[str] = frozenset()
    kept_runs: frozenset[str] = frozenset()
    is_away: bool = False
    batch_seconds: float = 0.01
    batches: list[int] = field(default_factory=list)

    def prune(self, kind: str, *, limit: int, skip: int = 0, seconds: float = 0.0) -> int:
        assert kind in KINDS
        self._work(limit)
        chosen = self.rows.get(kind, [])[skip : skip + limit]
        if self.broken.intersection(chosen):
            raise ValueError("a row of a user's own refers to it")
        self.rows[kind] = [row for row in self.rows.get(kind, []) if row not in chosen]
        return len(chosen)

    def find_expired_runs(
        self, *, seconds: float, after: tuple[object, str] | None, limit: int
    ) -> Sequence[ExpiredRun]:
        names = sorted(name for name in self.runs if after is None or name > after[1])[:limit]
        return [ExpiredRun(id=name, place=(0, name), may_go=name not in self.kept_runs) for name in names]

    def prune_runs(self, run_ids: Sequence[str], *, seconds: float, limit: int) -> PrunedRuns:
        self._work(len(run_ids))
        if self.broken_runs.intersection(run_ids):
            raise ValueError("a row of a user's own refers to it")
        left = limit
        for run_id in run_ids:
            taken = min(left, self.runs[run_id])
            self.runs[run_id] -= taken
            left -= taken
        if left <= 0:
            return PrunedRuns(rows=limit, is_done=False)
        for run_id in run_ids:
            del self.runs[run_id]
        return PrunedRuns(rows=limit - left + len(run_ids), is_done=True)

    def _work(self, size: int) -> None:
        if self.is_away:
            raise StoreUnavailableError
        self.batches.append(size)
        self.clock.now += self.batch_seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def prunable(clock: Clock) -> FakePrunableRows:
    return FakePrunableRows(clock)


def duties(prunable: FakePrunableRows, settings: Settings = SETTINGS) -> dict[str, Duty]:
    pace = Pace(monotonic=prunable.clock, pause=prunable.clock.pause)
    made = Retention(prunable, settings, pace).build_duties()
    return {duty.name.removeprefix("forgetting "): duty for duty in made}


def test_each_kind_is_a_duty_of_its_own(prunable: FakePrunableRows) -> None:
    assert set(duties(prunable)) == KINDS


def test_zero_keeps_for_ever(prunable: FakePrunableRows) -> None:
    periods = ("run", "delivered", "tombstone", "daemon", "audit")
    zero: dict[str, Any] = {f"{period}_retention_seconds": 0 for period in periods}
    settings = replace(SETTINGS, **zero)

    assert set(duties(prunable, settings)) == {"keys", "messages", "told to nobody"}


@pytest.mark.parametrize("kind", sorted(KINDS - {"runs"}))
def test_turn_goes_on_until_nothing_is_left(prunable: FakePrunableRows, kind: str) -> None:
    prunable.rows[kind] = list(range(5 * BATCH + 1))

    assert duties(prunable)[kind].do() is False

    assert prunable.rows[kind] == []
    assert prunable.batches == [BATCH] * 6


def test_turn_makes_room_after_its_time_having_rested_as_long_as_it_worked(
    prunable: FakePrunableRows, clock: Clock
) -> None:
    prunable.rows["bodies"], prunable.batch_seconds = list(range(100 * BATCH)), 0.25

    assert duties(prunable)["bodies"].do() is True

    assert len(prunable.batches) == TURN_SECONDS / 0.5
    assert clock.now == TURN_SECONDS


def test_row_that_breaks_its_batch_is_found_and_passed_over(prunable: FakePrunableRows) -> None:
    prunable.rows["bodies"] = list(range(3000))
    prunable.broken = frozenset({700, 2500})
    duty = duties(prunable)["bodies"]

    with pytest.raises(RowsLeftError, match="2 rows could not be removed"):
        while duty.do():
            pass

    assert prunable.rows["bodies"] == [700, 2500]
    prunable.broken = frozenset()
    assert duty.do() is False
    assert prunable.rows["bodies"] == []


def test_pass_ends_where_hardly_anything_can_be_removed(prunable: FakePrunableRows) -> None:
    prunable.rows["bodies"] = list(range(1000))
    prunable.broken = frozenset(range(1000))
    duty = duties(prunable)["bodies"]

    with pytest.raises(RowsLeftError, match="20 rows could not be removed"):
        while duty.do():
            pass

    assert len(prunable.batches) < 50


@pytest.mark.parametrize("kind", ["bodies", "runs"])
def test_database_that_is_away_is_nobodys_fault(prunable: FakePrunableRows, kind: str) -> None:
    prunable.rows["bodies"], prunable.runs = [1], {"a": 1, "b": 1}
    prunable.is_away = True
    duty = duties(prunable)[kind]

    with pytest.raises(StoreUnavailableError):
        duty.do()

    prunable.is_away = False
    assert duty.do() is False
    assert (prunable.rows["bodies"] == []) is (kind == "bodies")
    assert (prunable.runs == {}) is (kind == "runs")


def test_runs_go_many_at_a_time_and_those_that_are_needed_stay(prunable: FakePrunableRows) -> None:
    prunable.runs = {f"run-{number:04}": 3 for number in range(450)}
    prunable.kept_runs = frozenset({"run-0007", "run-0400"})

    assert duties(prunable)["runs"].do() is False

    assert set(prunable.runs) == prunable.kept_runs
    assert prunable.batches == [RUNS_AT_ONCE] * 4 + [48]


def test_run_with_many_rows_goes_batch_by_batch(prunable: FakePrunableRows) -> None:
    prunable.runs = {"a": 2 * BATCH + 5}

    assert duties(prunable)["runs"].do() is False

    assert prunable.runs == {}
    assert len(prunable.batches) == 3


def test_run_that_can_not_be_removed_is_found_and_skipped_for_a_while(prunable: FakePrunableRows, clock: Clock) -> None:
    prunable.runs = {f"run-{number:04}": 1 for number in range(300)}
    prunable.broken_runs = frozenset({"run-0042"})
    duty = duties(prunable)["runs"]

    while duty.do():
        pass
    assert set(prunable.runs) == {"run-0042"}

    tried = len(prunable.batches)
    assert duty.do() is False
    assert len(prunable.batches) == tried
    clock.now += 3600
    prunable.broken_runs = frozenset()
    assert duty.do() is False
    assert prunable.runs == {}
