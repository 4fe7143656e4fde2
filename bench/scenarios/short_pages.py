"""Children whose only page is short: what it costs to ask each list whether that was all, and what a promise saves."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from app.engine.json_types import JsonObject
from bench import checking
from bench.customer import NESTED, PAGES
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import new_world

_PARENTS: Final = 2000
_PAGE_SIZE: Final = 100
_DELAY_MS: Final = 50


def measure(workbench: Workbench) -> Measurement:
    """Sync parents and their children with and without the promise that a short page ends a list."""
    parents = workbench.effort.sized(_PARENTS, least=_PAGE_SIZE)
    asked: dict[bool, int] = {}

    def sync(*, short_page_ends: bool) -> float:
        seconds, asked[short_page_ends] = _sync(workbench, parents, short_page_ends=short_page_ends)
        workbench.say(f"short_page_ends {short_page_ends}: {seconds:.2f} s, {asked[short_page_ends]:,} requests")
        return seconds

    promised, asking = in_turn(
        workbench.effort.rounds, lambda: sync(short_page_ends=True), lambda: sync(short_page_ends=False)
    )
    least = parents + -(-parents // _PAGE_SIZE)
    if asked[True] != least:
        raise BenchError(f"the upstream was asked {asked[True]} times, not {least}")
    return Measurement(
        scenario="short-pages",
        figures=_figures(promised, asking, asked, most_seconds=4 * parents / _PARENTS),
        notes=[
            f"{parents:,} parents in pages of {_PAGE_SIZE}, a list of five children for each, pages of {_PAGE_SIZE}",
            f"{_DELAY_MS} ms for each request",
        ],
    )


def _figures(
    promised: Sequence[float], asking: Sequence[float], asked: dict[bool, int], *, most_seconds: float
) -> list[Figure]:
    samples = {"short_page_ends, s": promised, "without it, s": asking}
    return [
        Figure(
            name="whole run, short_page_ends",
            value=median(promised),
            unit="s",
            bar=at_most(most_seconds),
            samples=samples,
            noise=noise(promised, asking),
        ),
        Figure(name="whole run, without it", value=median(asking), unit="s"),
        # Twice the requests, and the parents' pages are the same.
        Figure(name="without it / short_page_ends", value=ratio(asking, promised), unit="×", bar=at_most(2.0)),
        Figure(name="requests, short_page_ends", value=asked[True], unit=""),
        Figure(name="requests, without it", value=asked[False], unit=""),
    ]


def _sync(workbench: Workbench, parents: int, *, short_page_ends: bool) -> tuple[float, int]:
    workbench.clear()
    world = new_world(parents, page_size=_PAGE_SIZE, delay_ms=_DELAY_MS)
    comments = {"list": {"method": "get", "path": "/comments", "pagination": _pages(short_page_ends=short_page_ends)}}
    config = {**PAGES, "resources": {"comments": comments}}
    sync = workbench.customer.sync(workbench.prepare(world), NESTED, config=config)
    run = workbench.customer.run(sync)
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], parents)
    checking.check_comments(workbench.stack.database_url, sync.account_id, parents)
    return run.seconds, int(read(f"{workbench.url_of(world)}/stats")["requests"])


def _pages(*, short_page_ends: bool) -> JsonObject:
    config = {"page_param": "page", "limit_param": "limit", "limit": _PAGE_SIZE}
    return {"format": "page", "config": {**config, "short_page_ends": short_page_ends}}


SCENARIOS = (
    Scenario(
        name="short-pages",
        what="2,000 children whose lists are one short page, with short_page_ends and without",
        bar="under 4 s with it; without it, at most 2 × as long",
        measure=measure,
    ),
)
