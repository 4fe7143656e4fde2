"""Parents and one child request for each, all of them slow: what side-by-side requests are worth."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from app.settings import Settings
from bench import checking
from bench.customer import NESTED
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.rounds import in_turn
from bench.samples import noise
from bench.scenario import Scenario
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import COMMENTS_PER_TICKET, World, new_world

_PARENTS: Final = 2000
_PAGE_SIZE: Final = 100
_DELAY_MS: Final = 50
_CONCURRENCY: Final = Settings(database_url="", broker_url="", encryption_key="").requests_per_account


def measure(workbench: Workbench) -> Measurement:
    """Sync parents and their children, each account being new to the daemons."""
    parents = workbench.effort.sized(_PARENTS, least=_PAGE_SIZE)
    requests = parents + -(-parents // _PAGE_SIZE)
    ideal_seconds = requests * _DELAY_MS / 1000 / _CONCURRENCY
    peaks: list[float] = []

    def sync() -> float:
        world = new_world(parents, page_size=_PAGE_SIZE, delay_ms=_DELAY_MS)
        seconds = _sync(workbench, world)
        peaks.append(_peak(workbench, world, requests))
        workbench.say(f"{seconds:.2f} s, {peaks[-1]:.0f} requests at once at most")
        return seconds

    (seconds,) = in_turn(workbench.effort.rounds, sync)
    return Measurement(
        scenario="nested",
        figures=_figures(seconds, peaks[1:], most_seconds=4 * parents / _PARENTS, ideal_seconds=ideal_seconds),
        notes=[
            f"{parents:,} parents in pages of {_PAGE_SIZE}, {parents:,} child requests, {_DELAY_MS} ms each",
            f"the ideal is requests × latency / concurrency = {ideal_seconds:.2f} s; the pages of parents can only be "
            "asked for one after the other",
        ],
    )


def _figures(
    seconds: Sequence[float], peaks: Sequence[float], *, most_seconds: float, ideal_seconds: float
) -> list[Figure]:
    return [
        Figure(
            name="whole run",
            value=median(seconds),
            unit="s",
            bar=at_most(most_seconds),
            samples={"seconds": seconds, "requests at once at most": peaks},
            noise=noise(seconds),
        ),
        Figure(
            name=f"run / ideal at {_CONCURRENCY} requests at once",
            value=median(seconds) / ideal_seconds,
            unit="×",
            bar=at_most(1.4),
        ),
        Figure(name="requests at once at most", value=median(peaks), unit=""),
    ]


def _sync(workbench: Workbench, world: World) -> float:
    workbench.clear()
    sync = workbench.customer.sync(workbench.prepare(world), NESTED)
    run = workbench.customer.run(sync)
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
    checking.check_comments(workbench.stack.database_url, sync.account_id, world.records)
    return run.seconds


def _peak(workbench: Workbench, world: World, requests: int) -> float:
    statistics = read(f"{workbench.url_of(world)}/stats")
    if statistics["requests"] != requests:
        raise BenchError(f"the upstream was asked {statistics['requests']} times, not {requests}")
    return float(statistics["peak_concurrency"])


SCENARIOS = (
    Scenario(
        name="nested",
        what=f"2,000 parents and 2,000 child requests of 50 ms, {COMMENTS_PER_TICKET} records each",
        bar="under 4 s, and within 1.4 × requests × latency / concurrency",
        measure=measure,
    ),
)
