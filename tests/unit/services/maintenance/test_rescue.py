"""The duty that looks after stuck runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from app.engine.errors import StoreUnavailableError
from app.engine.status import RunStatus
from app.services.maintenance.rescue import ATTEMPTS, StuckRunRescuer
from app.services.runs.lifecycle import RunLifecycle
from tests.unit.services.service_setting import Setting, setting


@dataclass
class FakeStuckRuns:
    ids: Sequence[str]
    asked: list[float] = field(default_factory=list)

    def stuck(self, *, seconds: float, limit: int, skipped: Sequence[str]) -> Sequence[str]:
        self.asked.append(seconds)
        return [id for id in self.ids if id not in skipped][:limit]


class BrokenLifecycle(RunLifecycle):
    """The life of runs, of which one can not even be read."""

    def __init__(self, lifecycle: RunLifecycle, *, ends_by: Exception | None = None) -> None:
        self.__dict__.update(lifecycle.__dict__)
        self.ends_by = ends_by or ValueError("no such error handling")
        self.told: list[str] = []
        self.ended: list[str] = []

    def rescue(self, run_id: str) -> bool:
        if run_id == "broken":
            raise ValueError("no such error handling")
        return super().rescue(run_id)

    def fail_stuck(self, run_id: str, *, attempts: int) -> None:
        if run_id == "broken":
            raise self.ends_by
        super().fail_stuck(run_id, attempts=attempts)

    def fail_unreadable(self, run_id: str, *, kind: str) -> None:
        self.ended.append(run_id)

    def record_unhandled(self, run_id: str, reason: str) -> None:
        self.told.append(reason)


def stuck_setting() -> Setting:
    here = setting()
    here.moves.has_begun = False
    here.moves.left = "units: none at all"
    return here


def test_stuck_run_is_ended_only_after_several_attempts_to_free_it() -> None:
    here = stuck_setting()
    runs = FakeStuckRuns(["gone", "run"])
    rescuer = StuckRunRescuer(
        find_stuck=runs.stuck, lifecycle=here.lifecycle(), stuck_seconds=300, monotonic=lambda: 0.0
    )
    statuses = []

    for _ in range(ATTEMPTS):
        rescuer.rescue_stuck()
        statuses.append(here.runs.rows["run"].status)

    assert statuses == [RunStatus.RUNNING] * (ATTEMPTS - 1) + [RunStatus.FAILED]
    assert runs.asked == [300] * ATTEMPTS


def test_attempts_count_only_while_the_run_stays_stuck() -> None:
    here = stuck_setting()
    runs = FakeStuckRuns(["run"])
    rescuer = StuckRunRescuer(
        find_stuck=runs.stuck, lifecycle=here.lifecycle(), stuck_seconds=300, monotonic=lambda: 0.0
    )

    for ids in (["run"], ["run"], ["run"], [], ["run"]):
        runs.ids = ids
        rescuer.rescue_stuck()

    assert here.runs.rows["run"].status is RunStatus.RUNNING


def test_run_whose_row_breaks_the_attempt_is_told_of_and_ended_after_as_many() -> None:
    here, now = stuck_setting(), [0.0]
    runs = FakeStuckRuns(["broken", "run"])
    lifecycle = here.lifecycle()
    broken = BrokenLifecycle(lifecycle)
    rescuer = StuckRunRescuer(find_stuck=runs.stuck, lifecycle=broken, stuck_seconds=300, monotonic=lambda: now[0])

    for now[0] in (0.0, 10.0, 40.0, 100.0, 130.0, 500.0):
        rescuer.rescue_stuck()

    assert broken.told == ["it broke with ValueError"] * ATTEMPTS
    assert broken.ended == ["broken"]
    assert here.runs.rows["run"].status is RunStatus.FAILED


def test_rescue_that_finds_postgres_away_ends_no_run() -> None:
    here, runs = stuck_setting(), FakeStuckRuns(["broken"])
    broken = BrokenLifecycle(here.lifecycle(), ends_by=StoreUnavailableError())
    rescuer = StuckRunRescuer(
        find_stuck=runs.stuck, lifecycle=broken, stuck_seconds=300, monotonic=iter(range(0, 90000, 900)).__next__
    )

    for _ in range(ATTEMPTS - 1):
        rescuer.rescue_stuck()
    with pytest.raises(StoreUnavailableError):
        rescuer.rescue_stuck()

    assert broken.ended == []
