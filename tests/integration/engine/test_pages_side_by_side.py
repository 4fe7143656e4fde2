"""Runs whose lists are read ahead: no page is requested twice unless somebody dies, and then few are."""

from collections import Counter
from typing import Any, Final

import pytest

from tests.support.listings import configs
from tests.support.listings.customer import Customer, Ran
from tests.support.listings.listing import Kind, Listing, ids
from tests.support.listings.site import Site
from tests.support.pump_database import PumpDatabase
from tests.support.reached_ahead import AHEAD_OF_A_CURSOR, count_repeated_by_a_crash
from tests.support.workspace import listed

WINDOW: Final = 8
COUNTED: Final = (Kind.PAGE, Kind.OFFSET, Kind.RANGE)
ROWS: Final = ids(90)


def run(database: PumpDatabase, kind: Kind, *, told: Any, **settings: Any) -> Ran:
    listing = Listing(kind=kind, rows=ROWS, sizes=(2,), limit=2, told=told)
    limits = {"requests_per_account": WINDOW, "requests_at_start": WINDOW, **settings}
    with Customer(database, [listed("things")], {"things": configs.method(listing, "/things")}, **limits) as customer:
        return customer.run(Site({("/things", None): listing}))


def count_repeats(ran: Ran) -> int:
    """Count the requests for pages within the list that were made again; a check is one too."""
    return sum(times - 1 for (_, index), times in ran.site.turned.items() if index < len(ROWS) // 2)


@pytest.mark.parametrize("settings", [{}, {"slice_pages": 1}, {"slice_pages": 5}, {"slice_seconds": 0.01}], ids=str)
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.OFFSET, Kind.CURSOR, Kind.LINK_HEADER, Kind.DYNAMIC])
def test_no_page_is_requested_twice_however_short_the_slices_are(
    pump_database: PumpDatabase, kind: Kind, settings: dict[str, Any]
) -> None:
    ran = run(pump_database, kind, told=None, **settings)

    assert (ran.run.status, len(ran.living["things"])) == ("completed", len(ROWS))
    # At the end of each 32 pages, and at the end of the list, one is requested again as a check.
    assert count_repeats(ran) <= (2 if kind in COUNTED else 0)


@pytest.mark.parametrize(
    ("kind", "told", "reading"),
    [
        (Kind.PAGE, None, {"parallel": "checked"}),
        (Kind.PAGE, "exact", {"parallel": "total"}),
        (Kind.RANGE, "exact", {"parallel": "total"}),
        (Kind.CURSOR, None, {"ahead": "cursor"}),
        (Kind.DYNAMIC, None, {"ahead": "cursor"}),
    ],
)
def test_a_run_shows_how_its_lists_are_read(
    pump_database: PumpDatabase, kind: Kind, told: str | None, reading: dict[str, str]
) -> None:
    assert run(pump_database, kind, told=told).stats("things")["reading"] == reading


def test_a_run_shows_that_nothing_is_read_ahead(pump_database: PumpDatabase) -> None:
    ran = run(pump_database, Kind.PAGE, told=None, read_ahead_bytes=0)

    assert ran.stats("things")["reading"] == {"sequential": "setting"}
    assert count_repeats(ran) == 0


def test_a_list_that_is_not_to_be_read_in_parallel_is_read_in_turn(pump_database: PumpDatabase) -> None:
    listing = Listing(kind=Kind.PAGE, rows=ROWS, sizes=(2,), limit=2)
    method = configs.method(listing, "/things")
    method["pagination"]["config"]["parallel"] = False
    with Customer(pump_database, [listed("things")], {"things": method}) as customer:
        ran = customer.run(Site({("/things", None): listing}))

    assert ran.stats("things")["reading"] == {"sequential": "configured"}
    assert max(Counter(ran.site.turned).values()) == 1
    asked = [int(str(one.value("page"))) for one in ran.site.requests]
    assert asked == sorted(asked)


def test_each_request_is_signed_by_itself_however_many_are_made_at_once(pump_database: PumpDatabase) -> None:
    listing = Listing(
        kind=Kind.PAGE, rows=ROWS, sizes=(2,), limit=2, told="exact", declared={"stop_when": "status = 410"}
    )
    signed = {"expression": "{'X-Signed': 'page ' & requestOptions.query.page}"}
    method = {**configs.method(listing, "/things"), "authorization": {"format": "header", "config": signed}}
    with Customer(pump_database, [listed("things")], {"things": method}) as customer:
        ran = customer.run(Site({("/things", None): listing}))

    assert (ran.stats("things")["reading"], len(ran.living["things"])) == ({"parallel": "total"}, len(ROWS))
    assert all(one.headers["x-signed"] == f"page {one.value('page')}" for one in ran.site.requests)


@pytest.mark.parametrize("number", [3, 5, 8, 13])
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.CURSOR])
def test_a_death_repeats_no_more_pages_than_is_said(pump_database: PumpDatabase, kind: Kind, number: int) -> None:
    listing = Listing(kind=kind, rows=ROWS, sizes=(2,), limit=2, told="exact")
    limits = {"requests_per_account": WINDOW, "requests_at_start": WINDOW}
    methods = {"things": configs.method(listing, "/things")}
    with Customer(pump_database, [listed("things")], methods, **limits) as customer:
        ran = customer.run(Site({("/things", None): listing}), kill_before=number)

    assert (ran.run.status, len(ran.living["things"])) == ("completed", len(ROWS))
    most = count_repeated_by_a_crash(WINDOW) if kind is Kind.PAGE else WINDOW + AHEAD_OF_A_CURSOR
    assert count_repeats(ran) <= most + 2
