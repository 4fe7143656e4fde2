"""A caller waits for a run's end, for a time, and beside a few others."""

import threading

import pytest

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.runs.runs import RunWaits
from tests.unit.services.service_tables import run

LIVE = run(status=RunStatus.RUNNING)


class Runs:
    """One run, which has the next of its statuses each time that it is looked at."""

    def __init__(self, *statuses: RunStatus) -> None:
        self.statuses = list(statuses)

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return run(id=run_id, status=status)


class Time:
    """Passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waits(runs: Runs, time: Time, most: int = 3) -> RunWaits:
    return RunWaits(runs, most=most, monotonic=lambda: time.now, sleep=time.sleep)  # type: ignore[arg-type]


def test_run_is_given_when_it_has_ended() -> None:
    time = Time()

    found = waits(Runs(RunStatus.CREATED, RunStatus.RUNNING, RunStatus.COMPLETED), time).wait(LIVE, seconds=30)

    assert found is not None
    assert (found.status, time.now) == (RunStatus.COMPLETED, pytest.approx(0.35))


@pytest.mark.parametrize(("asked", "waited"), [(0, 0.0), (30, 30.0), (600, 60.0)])
def test_run_that_goes_on_is_given_as_it_is_when_the_time_is_over(asked: float, waited: float) -> None:
    time = Time()

    found = waits(Runs(RunStatus.RUNNING), time).wait(LIVE, seconds=asked)

    assert found is not None
    assert (found.status, time.now) == (RunStatus.RUNNING, pytest.approx(waited))


def test_run_that_has_ended_is_not_waited_for() -> None:
    ended = run(status=RunStatus.FAILED)

    assert waits(Runs(RunStatus.RUNNING), Time(), most=0).wait(ended, seconds=30) is ended


def test_who_finds_all_places_taken_is_told_so_at_once() -> None:
    time, is_waiting, may_go_on = Time(), threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        is_waiting.set()
        assert may_go_on.wait(10)
        time.sleep(seconds)

    crowded = RunWaits(Runs(RunStatus.RUNNING), most=1, monotonic=lambda: time.now, sleep=sleep)  # type: ignore[arg-type]
    first = threading.Thread(target=crowded.wait, args=[LIVE], kwargs={"seconds": 1})
    first.start()
    assert is_waiting.wait(10)

    assert crowded.wait(LIVE, seconds=30) is None
    assert time.now == 0

    may_go_on.set()
    first.join()
