"""What learning columns costs a run: the same listing with it, and for an account whose log counts as learned from."""

from functools import partial
from statistics import median
from typing import Final

import psycopg

from bench import checking
from bench.customer import TICKETS
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 200_000
_LEARNED: Final = "insert into schema_cursor (integrated_account_id, sequence) values (%s, 9000000000000000000)"


def measure(workbench: Workbench) -> Measurement:
    """Sync a listing into Postgres, in turn without learning from it and with."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    without, learned = in_turn(
        workbench.effort.rounds,
        partial(_rate, workbench, world, is_learned=False),
        partial(_rate, workbench, world, is_learned=True),
    )
    return Measurement(
        scenario="bulk-learned",
        figures=[
            Figure(
                name="with schemas learned / without",
                value=ratio(learned, without),
                unit="×",
                bar=at_least(0.95),
                samples={"without, records/s": without, "with, records/s": learned},
                noise=noise(without, learned),
            ),
            Figure(name="with", value=median(learned), unit="records/s"),
        ],
        notes=[f"{world.records:,} records in pages of {world.page_size:,}, whose columns the leader learns meanwhile"],
    )


def _rate(workbench: Workbench, world: World, *, is_learned: bool) -> float:
    workbench.clear()
    sync = workbench.customer.sync(workbench.url_of(world))
    if not is_learned:
        with psycopg.connect(workbench.stack.database_url) as connection:
            connection.execute(_LEARNED, [sync.account_id])
    run = workbench.customer.run(sync)
    if (counted := run.counted(TICKETS, "created")) != world.records:
        raise BenchError(f"run {run.id} counts {counted} records as created, not {world.records}")
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
    workbench.say(f"{'with' if is_learned else 'without'} learning {world.records / run.seconds:,.0f} records/s")
    return world.records / run.seconds


SCENARIOS = (
    Scenario(
        name="bulk-learned",
        what="200,000 records in pages of 1,000, with columns learned meanwhile, beside the same without",
        bar="at least 0.95 × without",
        measure=measure,
    ),
)
