"""One resource, many pages: beside the floor, a second time with nothing changed, and to a webhook."""

import time
from functools import partial
from statistics import median
from typing import Final

from app.engine.ids import new_id
from bench import checking, floor
from bench.customer import TICKETS, FinishedRun, Sync
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.wire import Wire
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 200_000
_END_SECONDS: Final = 60.0


def measure_bulk(workbench: Workbench) -> Measurement:
    """Sync a listing into Postgres, the floor beside it."""
    world = _world(workbench)
    workbench.prepare(world)
    floors, bulks = in_turn(
        workbench.effort.rounds, partial(_floor_rate, workbench, world), partial(_bulk_rate, workbench, world)
    )
    samples = {"floor, records/s": floors, "Ferryman, records/s": bulks}
    return Measurement(
        scenario="bulk",
        figures=[
            Figure(
                name="bulk / floor",
                value=ratio(bulks, floors),
                unit="×",
                bar=at_least(0.8),
                samples=samples,
                noise=noise(floors, bulks),
            ),
            Figure(name="Ferryman", value=median(bulks), unit="records/s"),
            Figure(name="floor", value=median(floors), unit="records/s"),
        ],
        notes=[f"{world.records:,} records in pages of {world.page_size:,}, each compared with the upstream's"],
    )


def measure_bulk_again(workbench: Workbench) -> Measurement:
    """Sync a listing twice, nothing having changed in between."""
    world = _world(workbench)
    workbench.prepare(world)
    customer, syncs = workbench.customer, list[Sync]()

    def first() -> float:
        workbench.clear()
        syncs.append(customer.sync(workbench.url_of(world)))
        run = customer.run(syncs[-1])
        _expect(run, "created", world.records)
        return world.records / run.seconds

    def again() -> float:
        workbench.settle_disk()
        run = customer.run(syncs[-1])
        _expect(run, "unchanged", world.records)
        checking.check_tickets(workbench.stack.database_url, [syncs[-1].account_id], world.records)
        return world.records / run.seconds

    firsts, agains = in_turn(workbench.effort.rounds, first, again)
    samples = {"first, records/s": firsts, "again, records/s": agains}
    return Measurement(
        scenario="bulk-again",
        figures=[
            Figure(
                name="again / first",
                value=ratio(agains, firsts),
                unit="×",
                bar=at_least(1.5),
                samples=samples,
                noise=noise(firsts, agains),
            ),
            Figure(name="again", value=median(agains), unit="records/s"),
        ],
        notes=[f"{world.records:,} records; the books must call each of them unchanged"],
    )


def measure_webhook(workbench: Workbench) -> Measurement:
    """Send a listing to a receiver that answers at once."""
    world = _world(workbench)
    workbench.prepare(world)
    (rates,) = in_turn(workbench.effort.rounds, partial(_webhook_rate, workbench, world))
    return Measurement(
        scenario="webhook",
        figures=[
            Figure(
                name="records delivered",
                value=median(rates),
                unit="records/s",
                bar=at_least(30_000),
                samples={"records/s": rates},
                noise=noise(rates),
            )
        ],
        notes=[f"{world.records:,} records, from POST until the receiver has the event of the run's end"],
    )


def _world(workbench: Workbench) -> World:
    return new_world(workbench.effort.sized(_RECORDS))


def _floor_rate(workbench: Workbench, world: World) -> float:
    workbench.settle_disk()
    run = floor.run_floor(workbench.url_of(world), workbench.floor_database_url)
    checking.check_floor(workbench.floor_database_url, floor.TABLE, world.records)
    workbench.say(f"floor {run.rate:,.0f} records/s")
    return run.rate


def _bulk_rate(workbench: Workbench, world: World) -> float:
    run = sync_once(workbench, world)
    workbench.say(f"Ferryman {world.records / run.seconds:,.0f} records/s")
    return world.records / run.seconds


def sync_once(workbench: Workbench, world: World) -> FinishedRun:
    """Sync a world into an empty table, and look whether all of it is there."""
    workbench.clear()
    sync = workbench.customer.sync(workbench.url_of(world))
    run = workbench.customer.run(sync)
    _expect(run, "created", world.records)
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
    return run


def _webhook_rate(workbench: Workbench, world: World) -> float:
    workbench.clear()
    inbox = f"/{new_id()}"
    sync, webhook_id = (
        workbench.customer.sync(workbench.url_of(world)),
        workbench.customer.webhook(workbench.receiver_url + inbox),
    )
    run = workbench.customer.run(sync, webhook_id=webhook_id)
    with Wire(workbench.receiver_url) as receiver:
        seconds = _end(receiver, inbox) - run.posted_at
        ledger = receiver.get(f"{inbox}/ledger")
        receiver.call("DELETE", inbox)
    if (ledger["records"], ledger["distinct"], ledger["wrong"]) != (world.records, world.records, 0):
        raise BenchError(f"the receiver has not got {world.records} records, each once and right: {ledger}")
    workbench.say(f"webhook {world.records / seconds:,.0f} records/s")
    return world.records / seconds


def _end(receiver: Wire, inbox: str) -> float:
    """Wait for the event of the run's end, which is sent once the run has ended; give when it came."""
    deadline = time.monotonic() + _END_SECONDS
    while (ended_at := receiver.get(f"{inbox}/end")["ended_at"]) is None:
        if time.monotonic() > deadline:
            raise BenchError("the receiver never heard of the run's end")
        time.sleep(0.02)
    return float(ended_at)


def _expect(run: FinishedRun, counter: str, records: int) -> None:
    if (counted := run.counted(TICKETS, counter)) != records:
        raise BenchError(f"run {run.id} counts {counted} records as {counter}, not {records}")


SCENARIOS = (
    Scenario(
        name="bulk",
        what="200,000 records in pages of 1,000, persisted, beside the floor",
        bar="at least 0.8 × the floor",
        measure=measure_bulk,
    ),
    Scenario(
        name="bulk-again",
        what="the same once more, nothing having changed",
        bar="at least 1.5 × the first time",
        measure=measure_bulk_again,
    ),
    Scenario(
        name="webhook",
        what="200,000 records to a webhook that answers at once",
        bar="at least 30,000 records/s",
        measure=measure_webhook,
    ),
)
