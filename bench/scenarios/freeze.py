"""One tenant's sync beside another one whose upstream attacks: by a charset, XML, JSON and bombs, all at once."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final

from app.engine.status import FINAL_RUN_STATUSES
from bench.customer import NESTED, Customer, Sync
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import percentile
from bench.scenario import Scenario
from bench.servers.running import running_module
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 20_000
_RUNS: Final = 5
_ATTACKS: Final[Mapping[str, int]] = {"charset": 1, "xml": 4, "json": 1, "bomb": 12}
_END_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.5


def measure(workbench: Workbench) -> Measurement:
    """Run the same sync some times with nobody beside it, and as often beside the attack."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    workbench.clear()
    _run_times(workbench, world, 1)
    quiet = _run_times(workbench, world, _RUNS)
    with running_module("bench.servers.hostile") as hostile_url, _attacked(workbench.customer, hostile_url):
        beside = _run_times(workbench, world, _RUNS)
    workbench.say(f"quiet {median(quiet):.2f} s, beside the attack {median(beside):.2f} s, at most {max(beside):.2f} s")
    usual = percentile(quiet, 95)
    samples = {"quiet, s": quiet, "beside the attack, s": beside}
    attack = ", ".join(f"{count} × {name}" for name, count in _ATTACKS.items())
    return Measurement(
        scenario="freeze",
        figures=[
            Figure(
                name="beside the attack / quiet",
                value=median(beside) / median(quiet),
                unit="×",
                bar=at_most(2),
                samples=samples,
            ),
            Figure(
                name="beside the attack, p95",
                value=percentile(beside, 95),
                unit="s",
                bar=at_most(max(3 * usual, usual + 1)),
            ),
            Figure(name="quiet, median", value=median(quiet), unit="s"),
        ],
        notes=[f"{_RUNS} runs of {world.records:,} records on each side; the attack, again and again: {attack}"],
    )


def _run_times(workbench: Workbench, world: World, count: int) -> list[float]:
    return [workbench.customer.run(workbench.customer.sync(workbench.url_of(world))).seconds for _ in range(count)]


@contextmanager
def _attacked(customer: Customer, hostile_url: str) -> Iterator[None]:
    """Post the attack from before the block to its end, again as soon as it has ended."""
    syncs = [customer.sync(f"{hostile_url}/{name}-{count}", NESTED, config={}) for name, count in _ATTACKS.items()]
    begun, is_over = threading.Event(), threading.Event()

    def attack() -> None:
        while not is_over.is_set():
            posted = _posted(customer, syncs)
            begun.set()
            _wait(customer, posted)

    attacking = threading.Thread(target=attack)
    attacking.start()
    begun.wait()
    try:
        yield
    finally:
        is_over.set()
        attacking.join()


def _posted(customer: Customer, syncs: Sequence[Sync]) -> list[str]:
    return [str(customer.api.post("/sync-job-run", sync.body)["id"]) for sync in syncs]


def _wait(customer: Customer, run_ids: Sequence[str]) -> None:
    """Wait until all have ended, most of them by an error."""
    deadline = time.monotonic() + _END_SECONDS
    for run_id in run_ids:
        while customer.api.get(f"/sync-job-run/{run_id}")["status"] not in FINAL_RUN_STATUSES:
            if time.monotonic() > deadline:
                raise BenchError(f"run {run_id} of the attack has not ended within {_END_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)


SCENARIOS = (
    Scenario(
        name="freeze",
        what="one tenant's sync beside another's whose upstream attacks by charset, XML, JSON and bombs",
        bar="median at most 2 × of quiet, p95 at most 3 × or 1 s more",
        measure=measure,
    ),
)
