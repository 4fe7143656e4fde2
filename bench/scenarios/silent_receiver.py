"""A stranger's runs beside a hundred runs whose webhook's receiver takes connections and never answers.

Beside them wait twenty events of no run for that receiver: another webhook is told of a run's end all the same.
"""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from app.engine.ids import new_id
from app.engine.json_types import JSON
from bench.customer import POLL_SECONDS, Customer, moment
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import percentile
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 1_000
_RUNS: Final = 5
_HANGING: Final = 100
_EVENTS: Final = 20
_BEGIN_SECONDS: Final = 60.0
_TOLD_SECONDS: Final = 600.0
_END: Final = "sync_job_run:completed"


def measure(workbench: Workbench) -> Measurement:
    """Run a sync some times with nobody beside it, and as often beside the hanging runs: into Postgres, and away."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    workbench.clear()
    _run_times(workbench, world, 1)
    quiet = _run_times(workbench, world, _RUNS)
    with _hanging(workbench.customer, workbench.url_of(world)):
        beside = _run_times(workbench, world, _RUNS)
    figures = [figure for kind in quiet for figure in _figures(kind, quiet[kind], beside[kind])]
    for kind in quiet:
        workbench.say(f"{kind}: quiet {median(quiet[kind]):.2f} s, beside {median(beside[kind]):.2f} s")
    return Measurement(
        scenario="silent-receiver",
        figures=figures,
        notes=[
            f"{_RUNS} runs of {world.records:,} records of each kind on each side, beside {_HANGING} hanging runs and "
            f"{_EVENTS} events of no run: kept here, sent to a receiver that answers, told of to another webhook"
        ],
    )


def _figures(kind: str, quiet: list[float], beside: list[float]) -> list[Figure]:
    usual = percentile(quiet, 95)
    return [
        Figure(
            name=f"{kind}, beside / quiet",
            value=median(beside) / median(quiet),
            unit="×",
            bar=at_most(2),
            samples={f"{kind}, quiet, s": quiet, f"{kind}, beside, s": beside},
        ),
        Figure(
            name=f"{kind}, beside, p95", value=percentile(beside, 95), unit="s", bar=at_most(max(3 * usual, usual + 1))
        ),
        Figure(name=f"{kind}, quiet, median", value=median(quiet), unit="s"),
    ]


def _run_times(workbench: Workbench, world: World, count: int) -> dict[str, list[float]]:
    """Run into Postgres and to a receiver that answers, in turn, and see when others hear of an end; give seconds."""
    customer, taken = workbench.customer, dict[str, list[float]]({"kept": [], "sent": [], "told": []})
    for _ in range(count):
        taken["told"].append(_told(workbench, world))
        webhook_id = customer.webhook(f"{workbench.receiver_url}/{new_id()}")
        options: dict[str, dict[str, JSON]] = {"kept": {}, "sent": {"webhook_id": webhook_id}}
        for kind, wishes in options.items():
            taken[kind].append(customer.run(customer.sync(workbench.url_of(world)), **wishes).seconds)
    return taken


def _told(workbench: Workbench, world: World) -> float:
    """Run with somebody who wants to hear of its end; give the seconds from that to when they have."""
    customer = workbench.customer
    body: dict[str, JSON] = {"target_url": f"{workbench.receiver_url}/{new_id()}", "event_types": [_END]}
    webhook_id = customer.api.post("/webhook", body)["id"]
    run = customer.run(customer.sync(workbench.url_of(world)))
    deadline = time.monotonic() + _TOLD_SECONDS
    while not (told := customer.api.get(f"/webhook/{webhook_id}/deliveries", {"status": "delivered"})["result"]):
        if time.monotonic() > deadline:
            raise BenchError(f"nobody was told of the end of run {run.id} within {_TOLD_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    customer.api.delete(f"/webhook/{webhook_id}")
    return moment(told[0]["delivered_at"]) - moment(run.shown["finished_at"])


@contextmanager
def _hanging(customer: Customer, url: str) -> Iterator[None]:
    """Have so many runs wait for one receiver, from before the block to its end."""
    syncs = customer.syncs(url, _HANGING)
    with socket.create_server(("127.0.0.1", 0), backlog=2 * _HANGING) as silent:
        target_url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        watching = customer.api.post("/webhook", {"target_url": target_url, "event_types": [_END]})["id"]
        for sync in syncs[:_EVENTS]:
            customer.run(sync)
        webhook_id = customer.webhook(target_url)
        posted = [customer.api.post("/sync-job-run", {**sync.body, "webhook_id": webhook_id})["id"] for sync in syncs]
        if not select.select([silent], [], [], _BEGIN_SECONDS)[0]:
            raise BenchError("nothing was sent to the silent receiver")
        try:
            yield
        finally:
            customer.api.delete(f"/webhook/{watching}")
            for run_id in posted:
                customer.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})


SCENARIOS = (
    Scenario(
        name="silent-receiver",
        what="a stranger's runs beside 100 runs at a receiver that never answers",
        bar="median at most 2 × of quiet, p95 at most 3 × or 1 s more",
        measure=measure,
    ),
)
