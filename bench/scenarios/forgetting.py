"""What is over is forgotten as fast as a large fleet ends runs, and a stranger's sync beside that hardly waits."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import psycopg

from bench.filling import fill_expired_runs, settle
from bench.measurement import BenchError, Figure, Measurement, at_least, at_most
from bench.samples import percentile
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import World, new_world

_EXPIRED: Final = 20_000
_FLEET_RUNS_PER_SECOND: Final = 27.78
"""What 100,000 accounts end (docs/scaling.md)."""
_RECORDS: Final = 20_000
_RUNS: Final = 5
_END_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.2
_LEFT: Final = "select count(*) from sync_job_run where finished_at < now() - interval '90 days'"


def measure(workbench: Workbench) -> Measurement:
    """Sync with nothing to forget, then beside it; and time what is forgotten with nothing beside it."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    workbench.clear()
    _run_times(workbench, world, 1)
    quiet = _run_times(workbench, world, _RUNS)
    expired = workbench.effort.sized(_EXPIRED, least=300)
    rate = _rate(workbench, expired)
    workbench.say(f"{rate:.0f} runs/s are forgotten")
    beside = _beside(workbench, world, expired)
    usual = percentile(quiet, 95)
    return Measurement(
        scenario="forgetting",
        figures=[
            Figure(name="forgotten", value=rate, unit="runs/s", bar=at_least(_FLEET_RUNS_PER_SECOND)),
            Figure(
                name="beside retention / quiet",
                value=median(beside) / median(quiet),
                unit="×",
                bar=at_most(2),
                samples={"quiet, s": quiet, "beside retention, s": beside},
            ),
            Figure(
                name="beside retention, p95",
                value=percentile(beside, 95),
                unit="s",
                bar=at_most(max(3 * usual, usual + 1)),
            ),
            Figure(name="quiet, median", value=median(quiet), unit="s"),
        ],
        notes=[
            f"{expired:,} runs of one resource, ten units, twelve events and an error each",
            f"{_RUNS} runs of {world.records:,} records on each side",
        ],
    )


def _run_times(workbench: Workbench, world: World, count: int) -> list[float]:
    return [workbench.customer.run(workbench.customer.sync(workbench.url_of(world))).seconds for _ in range(count)]


def _rate(workbench: Workbench, expired: int) -> float:
    _begin(workbench, expired)
    began, first = time.monotonic(), _left(workbench)
    _wait(lambda: _left(workbench) == 0, "the end of all expired runs")
    return first / (time.monotonic() - began)


def _beside(workbench: Workbench, world: World, expired: int) -> list[float]:
    _begin(workbench, expired)
    seconds = []
    for _ in range(_RUNS):
        if not _left(workbench):
            _begin(workbench, expired)
        seconds += _run_times(workbench, world, 1)
    return seconds


def _begin(workbench: Workbench, expired: int) -> None:
    """Have runs that are over, and a leader that looks for them at once, and wait until it has found some."""
    fill_expired_runs(workbench.stack.database_url, expired)
    settle(workbench.stack.database_url)
    for name, child in workbench.stack.children.items():
        if name.startswith("daemon-"):
            child.restart()
    _wait(lambda: 0 < _left(workbench) < expired, "the first forgotten run")


def _left(workbench: Workbench) -> int:
    with psycopg.connect(workbench.stack.database_url, autocommit=True) as connection:
        row = connection.execute(_LEFT).fetchone()
    return int(row[0]) if row else 0


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _END_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise BenchError(f"{what} did not come within {_END_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


SCENARIOS = (
    Scenario(
        name="forgetting",
        what="retention at full speed, and one tenant's sync beside it",
        bar="as fast as 100,000 accounts end runs; median at most 2 × of quiet, p95 at most 3 × or 1 s more",
        measure=measure,
    ),
)
