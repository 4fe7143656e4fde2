"""What more records cost: ten times as many in one run, and a table that holds ten million already."""

from functools import partial
from statistics import median
from typing import Final

from app.engine.ids import new_id
from bench import checking
from bench.filling import fill_account, settle
from bench.measurement import Figure, Measurement, at_most
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.scenarios.bulk import sync_once
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 100_000
_FACTOR: Final = 10
_RUNS: Final = 100
_SMALL_RUNS: Final = 3


def measure(workbench: Workbench) -> Measurement:
    """Sync one part and ten parts into an empty table, then one part into a full one."""
    records = workbench.effort.sized(_RECORDS)
    small, large = new_world(records), new_world(records * _FACTOR)
    for world in (small, large):
        workbench.prepare(world)
    smalls, larges = in_turn(
        workbench.effort.rounds, partial(_median_seconds, workbench, small), partial(_seconds, workbench, large)
    )
    firsts = [_seconds(workbench, small) for _ in range(workbench.effort.rounds)]
    lates = _into_full_table(workbench, small)
    return Measurement(
        scenario="growth",
        figures=[
            Figure(
                name=f"{large.records:,} records / {small.records:,}",
                value=ratio(larges, smalls),
                unit="×",
                bar=at_most(11),
                samples={f"{small.records:,}, s": smalls, f"{large.records:,}, s": larges},
                noise=noise(smalls, larges),
            ),
            Figure(
                name=f"run {_RUNS} / run 1",
                value=ratio(lates, firsts),
                unit="×",
                bar=at_most(1.5),
                samples={"run 1, s": firsts, f"run {_RUNS}, s": lates},
                noise=noise(firsts, lates),
            ),
            Figure(name="run 1", value=median(firsts), unit="s"),
        ],
        notes=[
            f"each round of {small.records:,} is the median of {_SMALL_RUNS} runs",
            f"run {_RUNS} finds {records * (_RUNS - 1):,} records in the table, written by SQL beforehand",
        ],
    )


def _seconds(workbench: Workbench, world: World) -> float:
    seconds = sync_once(workbench, world).seconds
    workbench.say(f"{world.records:,} records in {seconds:.2f} s")
    return seconds


def _median_seconds(workbench: Workbench, world: World) -> float:
    """Return the median of a few small runs: one is over in a second and a half, too short to be measured once."""
    return median(_seconds(workbench, world) for _ in range(_SMALL_RUNS))


def _into_full_table(workbench: Workbench, world: World) -> list[float]:
    workbench.clear()
    for _ in range(_RUNS - 1):
        fill_account(workbench.stack.database_url, new_id(), world.records)
    settle(workbench.stack.database_url)
    workbench.say("the table is full")
    seconds = []
    for _ in range(1 + workbench.effort.rounds):
        workbench.settle_disk()
        sync = workbench.customer.sync(workbench.url_of(world))
        seconds.append(workbench.customer.run(sync).seconds)
        checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
        workbench.say(f"run {_RUNS} in {seconds[-1]:.2f} s")
    workbench.clear()
    return seconds[1:]


SCENARIOS = (
    Scenario(
        name="growth",
        what="ten times the records in one run, and a run into a table of ten million",
        bar="at most 11 × the time; the hundredth run within 1.5 × of the first",
        measure=measure,
    ),
)
