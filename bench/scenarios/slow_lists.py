"""Lists of an upstream that takes its time for each page, as real ones do: asked for side by side, or ahead."""

from collections.abc import Mapping
from statistics import median
from typing import Final

from app.engine.json_types import JSON, JsonObject
from bench import checking
from bench.customer import PAGES, FinishedRun
from bench.measurement import Figure, Measurement, at_least, at_most
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import World, new_world

RECORDS: Final = 200_000
PAGE_SIZE: Final = 100
DELAY_MS: Final = 200
_LIMITED_REQUESTS: Final = 2000
_PER_SECOND: Final = 10
_WINDOW: Final = 64
"""Requests that an account may have under way (``FERRYMAN_REQUESTS_PER_ACCOUNT``)."""

PAGE: Final[JsonObject] = {"format": "page", "config": {"limit_param": "limit", "limit": PAGE_SIZE}}
OFFSET: Final[JsonObject] = {"format": "offset", "config": {"limit": PAGE_SIZE}}
CURSOR: Final[JsonObject] = {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}}


def measure(workbench: Workbench) -> Measurement:
    """Sync a list by page number, by offset, and by cursor in parts, with trouble, and one behind a limit."""
    records = workbench.effort.sized(RECORDS, least=10 * PAGE_SIZE)
    kinds = {
        "by number, total told": declare_total(PAGE),
        "by number": PAGE,
        "by offset, total told": declare_total(OFFSET),
    }
    ideal = records / PAGE_SIZE * DELAY_MS / 1000 / _WINDOW
    figures = []
    for name, pagination in kinds.items():
        seconds = [_sync(workbench, records, pagination, name)[0] for _ in range(workbench.effort.rounds)]
        figures += [
            Figure(name=f"{name} / ideal", value=median(seconds) / ideal, unit="×", bar=at_most(1.3)),
            Figure(name=name, value=records / median(seconds), unit="records/s", noise=noise(seconds)),
        ]
    figures += [*_parts(workbench, records, ideal), _troubled(workbench, records), *_limited(workbench)]
    return Measurement(
        scenario="slow-lists",
        figures=figures,
        notes=[
            f"{records:,} records in pages of {PAGE_SIZE}, {DELAY_MS} ms each",
            f"ideal is requests × latency / {_WINDOW}",
            "trouble: of 100 pages one is answered 503 at first, and one hangs for 30 s",
            f"limit: {_PER_SECOND} requests per second, nothing told of it",
        ],
    )


def measure_ahead(workbench: Workbench) -> Measurement:
    """Sync a list by cursor with the next page asked for ahead, and without."""
    records = workbench.effort.sized(RECORDS)
    parallel, alone = in_turn(
        workbench.effort.rounds,
        lambda: _cursor(workbench, records, parallel=True),
        lambda: _cursor(workbench, records, parallel=False),
    )
    gain = Figure(
        name="ahead / in turn",
        value=ratio(alone, parallel),
        unit="×",
        bar=at_least(1.15),
        samples={"ahead, s": parallel, "in turn, s": alone},
        noise=noise(parallel, alone),
    )
    return Measurement(
        scenario="ahead",
        figures=[gain, Figure(name="ahead", value=records / median(parallel), unit="records/s")],
        notes=[f"{records:,} records in pages of 1,000 by cursor, 20 ms each"],
    )


def declare_total(pagination: JsonObject) -> JsonObject:
    """Return a pagination that reads the total which the upstream declares."""
    return {**pagination, "config": {**pagination["config"], "total_header": "X-Total-Count"}}


def partition_by_id(records: int) -> JsonObject:
    """Return how a list of so many records is cut into parts."""
    return {"by": "number", "from": "from", "to": "to", "start": 1, "end": records + 1}


def _parts(workbench: Workbench, records: int, ideal: float) -> list[Figure]:
    """Sync the list by cursor, cut into parts by its ids, and a tenth of it by cursor alone."""
    rounds, parted = range(workbench.effort.rounds), {"partition": partition_by_id(records)}
    seconds = [_sync(workbench, records, CURSOR, "by cursor, in parts", method=parted)[0] for _ in rounds]
    few = max(PAGE_SIZE, records // 10)
    alone, _ = _sync(workbench, few, CURSOR, "a tenth by cursor")
    speed = records / median(seconds)
    return [
        Figure(name="by cursor, in parts / ideal", value=median(seconds) / ideal, unit="×", bar=at_most(1.3)),
        Figure(name="by cursor, in parts", value=speed, unit="records/s", noise=noise(seconds)),
        Figure(name="in parts / by cursor alone", value=speed / (few / alone), unit="×", bar=at_least(10)),
    ]


def _troubled(workbench: Workbench, records: int) -> Figure:
    clean, troubled = in_turn(
        workbench.effort.rounds,
        lambda: _sync(workbench, records, declare_total(PAGE), "clean")[0],
        lambda: _sync(workbench, records, declare_total(PAGE), "with trouble", trouble="1")[0],
    )
    return Figure(
        name="with trouble / clean",
        value=ratio(troubled, clean),
        unit="×",
        bar=at_most(1.5),
        samples={"clean, s": clean, "with trouble, s": troubled},
        noise=noise(clean, troubled),
    )


def _limited(workbench: Workbench) -> list[Figure]:
    requests = workbench.effort.sized(_LIMITED_REQUESTS, least=100)
    world = new_world(requests * PAGE_SIZE, page_size=PAGE_SIZE, delay_ms=DELAY_MS)
    run = run_list(workbench, world, declare_total(PAGE), per_second=str(_PER_SECOND))
    statistics = read(f"{workbench.url_of(world)}/stats")
    asked, refused = int(statistics["requests"]), int(statistics["refused"])
    used = (asked - refused) / run.seconds / _PER_SECOND
    workbench.say(f"behind a limit: {run.seconds:.1f} s, {asked} requests, {refused} refused")
    return [
        Figure(name="limit used", value=100 * used, unit="%", bar=at_least(95)),
        Figure(name="refused", value=100 * refused / asked, unit="%", bar=at_most(2)),
    ]


def _sync(
    workbench: Workbench,
    records: int,
    pagination: JsonObject,
    name: str,
    *,
    method: Mapping[str, JSON] | None = None,
    **query: str,
) -> tuple[float, int]:
    """Return the seconds of a run and its requests; ``method`` are further keys of the integration's method."""
    world = new_world(records, page_size=PAGE_SIZE, delay_ms=DELAY_MS)
    run = run_list(workbench, world, pagination, method=method, **query)
    requests = int(read(f"{workbench.url_of(world)}/stats")["requests"])
    workbench.say(f"{name}: {run.seconds:.2f} s, {records / run.seconds:,.0f} records/s, {requests:,} requests")
    return run.seconds, requests


def _cursor(workbench: Workbench, records: int, *, parallel: bool) -> float:
    pages: Mapping[str, JSON] = PAGES["pagination"]
    world = new_world(records, page_size=1000, delay_ms=20)
    run = run_list(workbench, world, {**pages, "config": {**pages["config"], "parallel": parallel}})
    workbench.say(f"by cursor, ahead {parallel}: {run.seconds:.2f} s")
    return run.seconds


def run_list(
    workbench: Workbench,
    world: World,
    pagination: JsonObject,
    *,
    method: Mapping[str, JSON] | None = None,
    **query: str,
) -> FinishedRun:
    """Sync a world's list once, and check that it is there."""
    workbench.clear()
    asked = {"method": "get", "path": "/tickets", "query": query, "pagination": pagination, **(method or {})}
    config = {"response_path": "data", "resources": {"tickets": {"list": asked}}}
    sync = workbench.customer.sync(workbench.prepare(world), config=config)
    run = workbench.customer.run(sync)
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
    return run


SCENARIOS: Final = (
    Scenario(
        name="slow-lists",
        what="200,000 records in pages of 100, 200 ms each, by number, by offset, by cursor in parts; with trouble; "
        "behind a limit",
        bar="under 1.3 × requests × latency / window; in parts 10 × by cursor alone; with trouble within "
        "1.5 × of without; 95 % of a limit used, under 2 % refused",
        measure=measure,
    ),
    Scenario(
        name="ahead",
        what="200,000 records by cursor in pages of 1,000 that take 20 ms each, the next page asked for ahead, or not",
        bar="at least 1.15 × as fast",
        measure=measure_ahead,
    ),
)
