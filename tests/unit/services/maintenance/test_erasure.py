"""The duty that erases: a batch of each erasure in turn; one that breaks is told to its owner and keeps nobody."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from app.engine.errors import DestinationError
from app.engine.objects.accounts import Erasure, ErasureStatus
from app.engine.objects.environments import EnvironmentId
from app.services.maintenance.duty_rows import TURN_SECONDS, Pace
from app.services.maintenance.erasure import BATCH, ErasureDuty

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def erasure(id: str, resource: str | None = None) -> Erasure:
    return Erasure(
        id=id,
        environment_id=EnvironmentId("e"),
        integrated_account_id=f"account of {id}",
        resource=resource,
        status=ErasureStatus.WAITING,
        due_at=NOW,
        erased={},
        last_error=None,
        created_at=NOW,
        started_at=None,
        finished_at=None,
    )


@dataclass
class FakeErasures:
    """Erasures with so many rows left, and runs that live; time passes with each batch."""

    rows: dict[str, int] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    live: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    """Those that a destination which is away holds something of."""
    done: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def find_due(self, *, skipped: Sequence[str], limit: int) -> Sequence[Erasure]:
        return [erasure(id, self.resources.get(id)) for id in self.rows if id not in skipped][:limit]

    def find_live_runs(self, account_id: str, *, limit: int) -> Sequence[str]:
        return self.live.get(account_id, [])[:limit]

    def stop(self, run_id: str) -> bool:
        self.done.append(f"stop {run_id}")
        self.live = {account: [run for run in runs if run != run_id] for account, runs in self.live.items()}
        return True

    def begin(self, id: str) -> None:
        self.begun.add(id)

    def erase_at_destinations(self, erasure: Erasure) -> None:
        assert erasure.id in self.begun
        if erasure.id in self.away:
            raise DestinationError("the server can not be reached")

    def erase_some(self, erasure: Erasure, *, limit: int, may_finish: bool = True) -> bool:
        self.done.append(erasure.id)
        self.now += 0.1
        if erasure.id in self.broken:
            raise ValueError("a row of a user's own refers to it")
        erased = min(limit, self.rows.get(erasure.id, 0))
        if erased:
            # Whether there is more is not known before the next batch finds nothing.
            self.rows[erasure.id] -= erased
        elif may_finish:
            self.rows.pop(erasure.id, None)
        return bool(erased)

    def record_error(self, id: str, error: str) -> None:
        self.told[id] = error


@pytest.fixture
def erasures() -> FakeErasures:
    return FakeErasures()


@pytest.fixture
def erasing(erasures: FakeErasures) -> ErasureDuty:
    pace = Pace(monotonic=erasures.monotonic, pause=erasures.pause)
    return ErasureDuty(erasures, erasures.stop, pace, erase_at_destinations=erasures.erase_at_destinations)


def test_erasures_go_on_in_turn_until_nothing_is_left(erasures: FakeErasures, erasing: ErasureDuty) -> None:
    erasures.rows = {"a": 3 * BATCH, "b": BATCH}
    (duty,) = erasing.build_duties()

    assert duty.do() is False

    assert erasures.done == ["a", "b", "a", "b", "a", "a"]
    assert erasures.rows == {}


def test_live_runs_of_an_account_are_ended_first(erasures: FakeErasures, erasing: ErasureDuty) -> None:
    erasures.rows, erasures.resources = {"a": 1, "b": 1}, {"b": "users"}
    erasures.live = {"account of a": ["run-1", "run-2"], "account of b": ["run-3"]}

    assert erasing.run_turn() is False

    assert erasures.done == ["stop run-1", "stop run-2", "a", "b", "a", "b"]


def test_a_destination_that_is_away_keeps_rows_from_nothing_but_the_end(
    erasures: FakeErasures, erasing: ErasureDuty
) -> None:
    erasures.rows, erasures.away = {"a": BATCH}, {"a"}

    erasing.run_turn()

    assert (erasures.rows, erasures.done, list(erasures.told)) == ({"a": 0}, ["a"], ["a"])


def test_turn_makes_room_after_its_time(erasures: FakeErasures, erasing: ErasureDuty) -> None:
    erasures.rows = {"a": 1000 * BATCH}

    assert erasing.run_turn() is True

    assert erasures.now == pytest.approx(TURN_SECONDS, abs=0.3)


def test_erasure_that_breaks_is_told_and_keeps_nobody(erasures: FakeErasures, erasing: ErasureDuty) -> None:
    erasures.rows, erasures.broken = {"a": BATCH, "b": 2 * BATCH}, {"a"}

    assert erasing.run_turn() is False
    assert erasing.run_turn() is False

    assert erasures.done == ["a", "b", "b", "b"]
    assert erasures.told == {"a": "it broke with ValueError"}
