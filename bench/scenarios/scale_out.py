"""Twice the daemons: what a second machine's worth of them adds while the upstream is slow."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from app.stack import commands
from bench import checking
from bench.customer import Sync
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.scenarios.runs import last_end, post
from bench.servers.running import process
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RUNS: Final = 96
_PAGES: Final = 80
_PAGE_SIZE: Final = 20
_DELAY_MS: Final = 50
_ADDED: Final = 2
_JOIN_SECONDS: Final = 90.0


def measure(workbench: Workbench) -> Measurement:
    """Carry out runs of many accounts, each a chain of slow pages, with two daemons and with four."""
    runs = workbench.effort.sized(_RUNS, least=32)
    world = new_world(_PAGES * _PAGE_SIZE, page_size=_PAGE_SIZE, delay_ms=_DELAY_MS)
    syncs = workbench.customer.syncs(workbench.prepare(world), runs)

    def with_two() -> float:
        return _rate(workbench, world, syncs)

    def with_four() -> float:
        with _more_daemons(workbench):
            # Thrown away: a daemon that has just started has yet to connect, and to prepare its statements.
            _rate(workbench, world, syncs[: runs // 3])
            return _rate(workbench, world, syncs)

    twos, fours = in_turn(workbench.effort.rounds, with_two, with_four)
    return Measurement(
        scenario="scale-out",
        figures=[
            Figure(
                name="4 daemons / 2 daemons",
                value=ratio(fours, twos),
                unit="×",
                bar=at_least(1.8),
                samples={"2 daemons, pages/s": twos, "4 daemons, pages/s": fours},
                noise=noise(twos, fours),
            )
        ],
        notes=[
            f"{runs} runs of {runs} accounts, each {_PAGES} pages one after the other at {_DELAY_MS} ms",
            "all daemons are on this one machine, whose cores they share",
        ],
    )


def _rate(workbench: Workbench, world: World, syncs: Sequence[Sync]) -> float:
    workbench.clear()
    began = time.time()
    post(workbench, syncs)
    seconds = last_end(workbench, syncs) - began
    checking.check_tickets(workbench.stack.database_url, [sync.account_id for sync in syncs], world.records)
    workbench.say(f"{len(syncs) * world.pages / seconds:,.0f} pages/s")
    return len(syncs) * world.pages / seconds


@contextmanager
def _more_daemons(workbench: Workbench) -> Iterator[None]:
    """Have more daemons join, by the command that another machine would use."""
    options = workbench.stack.options
    command = commands.build_fresh_daemon_command(group=options.group, concurrency=options.concurrency)
    with ExitStack() as daemons:
        for _ in range(_ADDED):
            daemons.enter_context(process(command, workbench.stack.environment))
        _wait_for_daemons(workbench, options.daemons + _ADDED)
        yield
    _wait_for_daemons(workbench, options.daemons)


def _wait_for_daemons(workbench: Workbench, number: int) -> None:
    deadline = time.monotonic() + _JOIN_SECONDS
    while read(f"{workbench.stack.api_url}/healthz")["daemons"].get(workbench.stack.options.group, 0) != number:
        if time.monotonic() > deadline:
            raise BenchError(f"there are not {number} daemons")
        time.sleep(0.1)


SCENARIOS = (
    Scenario(
        name="scale-out",
        what="from 2 to 4 daemon processes, the upstream answering after 50 ms",
        bar="at least 1.8 ×",
        measure=measure,
    ),
)
