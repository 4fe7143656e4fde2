"""One tenant's sync beside another one that attacks.

Its upstream does by a charset, XML, JSON and bombs, all at once; itself by a pattern and by a schema that other engines
take exponential time for; and clients by requests that they send half of.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from app.client import ApiError
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
_PATTERN: Final = "^(a+)+$"
_ALMOST: Final = "a" * 40 + "!"
_DOUBLED: Final = {f"d{depth}": {"allOf": [{"$ref": f"#/$defs/d{depth + 1}"}] * 2} for depth in range(20)} | {"d20": {}}
_HALF: Final = b"POST /integration HTTP/1.1\r\nHost: bench\r\nContent-Length: 1000\r\n\r\n{"
_SLOW_CLIENTS: Final = 40
_CALLERS: Final = 6
_PAUSE_SECONDS: Final = 0.1
_END_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.5

_Begun = Callable[[], None]
"""Tells that an attack is under way."""


def measure(workbench: Workbench) -> Measurement:
    """Run the same sync some times with nobody beside it, and as often beside the attack."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    workbench.clear()
    _run_times(workbench, world, 1)
    quiet = _run_times(workbench, world, _RUNS)
    figures = [Figure(name="quiet, median", value=median(quiet), unit="s", samples={"quiet, s": quiet})]
    for kind, attacked in _ATTACKERS.items():
        with attacked(workbench):
            beside = _run_times(workbench, world, _RUNS)
        workbench.say(
            f"{kind}: quiet {median(quiet):.2f} s, beside {median(beside):.2f} s, at most {max(beside):.2f} s"
        )
        figures += _figures(kind, quiet, beside)
    attack = ", ".join(f"{count} × {name}" for name, count in _ATTACKS.items())
    return Measurement(
        scenario="freeze",
        figures=figures,
        notes=[
            f"{_RUNS} runs of {world.records:,} records on each side, beside each attack, which goes on all the time",
            f"answers: {attack}; schemas: {_CALLERS} callers; slow clients: {_SLOW_CLIENTS} connections",
        ],
    )


def _figures(kind: str, quiet: Sequence[float], beside: Sequence[float]) -> list[Figure]:
    usual = percentile(quiet, 95)
    return [
        Figure(
            name=f"beside {kind} / quiet",
            value=median(beside) / median(quiet),
            unit="×",
            bar=at_most(2),
            samples={f"beside {kind}, s": beside},
        ),
        Figure(
            name=f"beside {kind}, p95", value=percentile(beside, 95), unit="s", bar=at_most(max(3 * usual, usual + 1))
        ),
    ]


def _run_times(workbench: Workbench, world: World, count: int) -> list[float]:
    return [workbench.customer.run(workbench.customer.sync(workbench.url_of(world))).seconds for _ in range(count)]


@contextmanager
def _hostile_answers(workbench: Workbench) -> Iterator[None]:
    """Post runs of hostile upstreams from before the block to its end, again as soon as they have ended."""
    customer = workbench.customer
    with running_module("bench.servers.hostile") as url:
        syncs = [customer.sync(f"{url}/{name}-{count}", NESTED, config={}) for name, count in _ATTACKS.items()]

        def attack(begun: _Begun) -> None:
            run_ids = _posted(customer, syncs)
            begun()
            _wait(customer, run_ids)

        with _going_on([attack]):
            yield


@contextmanager
def _hostile_schemas(workbench: Workbench) -> Iterator[None]:
    """Have callers save and use a pattern and a schema that a simple engine never ends with."""
    sync = workbench.customer.sync(workbench.url_of(new_world(1)))
    job = workbench.customer.api.get(f"/sync-job/{sync.job_id}")
    body = {
        "integration_name": job["integration_name"],
        "resources": job["resources"],
        "args_schema": {
            "type": "object",
            "properties": {"a": {"type": "string", "pattern": _PATTERN}, "b": {"$ref": "#/$defs/d0"}},
            "$defs": _DOUBLED,
        },
    }

    def call(begun: _Begun) -> None:
        customer = workbench.customer
        begun()
        with suppress(ApiError):
            saved = customer.api.post("/sync-job", body)
            run = {**sync.body, "sync_job_id": saved["id"], "args": {"a": _ALMOST, "b": 1}}
            customer.api.post("/sync-job-run", run)
        time.sleep(_PAUSE_SECONDS)

    with _going_on([call] * _CALLERS):
        yield


@contextmanager
def _slow_clients(workbench: Workbench) -> Iterator[None]:
    """Hold connections whose requests were sent in part, each made anew when it is ended."""
    address = urlsplit(workbench.stack.api_url)

    def hold(begun: _Begun) -> None:
        with suppress(OSError), socket.create_connection((address.hostname or "", address.port or 80)) as client:
            client.sendall(_HALF)
            begun()
            client.settimeout(_POLL_SECONDS)
            client.recv(1)
        time.sleep(_PAUSE_SECONDS)

    with _going_on([hold] * _SLOW_CLIENTS):
        yield


@contextmanager
def _going_on(acts: Sequence[Callable[[_Begun], None]]) -> Iterator[None]:
    """Do each again and again, in threads, from before the block to its end."""
    is_over = threading.Event()

    def repeat(act: Callable[[_Begun], None], begun: threading.Event) -> None:
        while not is_over.is_set():
            act(begun.set)

    with ExitStack() as ends:
        events = [threading.Event() for _ in acts]
        for act, begun in zip(acts, events, strict=True):
            thread = threading.Thread(target=repeat, args=(act, begun))
            thread.start()
            ends.callback(thread.join)
        ends.callback(is_over.set)
        for begun in events:
            begun.wait()
        yield


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


_ATTACKERS: Final[Mapping[str, Callable[[Workbench], AbstractContextManager[None]]]] = {
    "answers": _hostile_answers,
    "schemas": _hostile_schemas,
    "slow clients": _slow_clients,
}

SCENARIOS = (
    Scenario(
        name="freeze",
        what="one tenant's sync beside another's that attacks: by answers, by schemas, by slow clients",
        bar="median at most 2 × of quiet, p95 at most 3 × or 1 s more",
        measure=measure,
    ),
)
