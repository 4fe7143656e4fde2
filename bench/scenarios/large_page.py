"""One page that holds everything: written in one transaction, beside the floor's COPY."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Final

from app.engine.json_types import JsonObject
from bench import checking, floor
from bench.customer import MARKS
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.scenarios.memory import MEGABYTE, peaks_while
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import World, new_world

_LARGE: Final = 200_000
_VERY_LARGE: Final = 1_400_000
_RESOURCES: Final[Sequence[JsonObject]] = ({"resource": MARKS, "method": "list", "persist": True},)


@dataclass(slots=True)
class _Rates:
    """What one size has come to, in records a second."""

    records: int
    ferryman: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)


def measure(workbench: Workbench) -> Measurement:
    """Sync a large and a very large page, each beside the floor."""
    large, very_large = (
        _measured(workbench, workbench.effort.sized(records, least=20_000)) for records in (_LARGE, _VERY_LARGE)
    )
    sync = partial(_rate, workbench, very_large.records)
    peaks = peaks_while(workbench, f"one page of {very_large.records:,} records", sync)
    return Measurement(
        scenario="large-page",
        figures=[
            *_figures(large),
            *_figures(very_large),
            Figure(
                name=f"highest RSS of a daemon at {very_large.records:,}", value=peaks.resident / MEGABYTE, unit="MB"
            ),
        ],
        notes=["one answer holds all records, of some 60 bytes each; it is downloaded once"],
    )


def _measured(workbench: Workbench, records: int) -> _Rates:
    floors, rates = in_turn(
        workbench.effort.rounds, partial(_floor_rate, workbench, records), partial(_rate, workbench, records)
    )
    return _Rates(records=records, ferryman=list(rates), floors=list(floors))


def _figures(rates: _Rates) -> list[Figure]:
    return [
        Figure(
            name=f"{rates.records:,} in one page / floor",
            value=ratio(rates.ferryman, rates.floors),
            unit="×",
            bar=at_least(0.5),
            samples={"floor, records/s": rates.floors, "Ferryman, records/s": rates.ferryman},
            noise=noise(rates.floors, rates.ferryman),
        ),
        Figure(name=f"Ferryman, {rates.records:,} in one page", value=median(rates.ferryman), unit="records/s"),
    ]


def _floor_rate(workbench: Workbench, records: int) -> float:
    workbench.settle_disk()
    world = _prepared(workbench, records)
    run = floor.run_floor(workbench.url_of(world), workbench.floor_database_url, MARKS)
    checking.check_floor(workbench.floor_database_url, floor.TABLE, records, MARKS)
    workbench.say(f"floor {run.rate:,.0f} records/s")
    return run.rate


def _rate(workbench: Workbench, records: int) -> float:
    workbench.clear()
    world = _prepared(workbench, records)
    sync = workbench.customer.sync(workbench.url_of(world), _RESOURCES)
    run = workbench.customer.run(sync)
    checking.check_marks(workbench.stack.database_url, sync.account_id, records)
    if (asked := read(f"{workbench.url_of(world)}/stats")["requests"]) != 1:
        raise BenchError(f"the page was downloaded {asked} times")
    workbench.say(f"{records:,} in one page: {records / run.seconds:,.0f} records/s")
    return records / run.seconds


def _prepared(workbench: Workbench, records: int) -> World:
    """Have the upstream encode the page before it is asked for."""
    world = new_world(records)
    read(f"{workbench.url_of(world)}/marks/prepare")
    return world


SCENARIOS = (
    Scenario(
        name="large-page",
        what="200,000 and 1,400,000 records in one page, persisted, beside the floor",
        bar="at least 0.5 × the floor",
        measure=measure,
    ),
)
