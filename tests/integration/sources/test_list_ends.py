"""Lists of every kind end as they should, whatever upstreams say and do; tests/support/listings holds the table."""

from asyncio import StreamWriter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from app.settings import Settings
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import Received, Upstream
from tests.support.listings.cases import CASES, POINTED, Case
from tests.support.listings.listing import Fault, Kind, Last, Listing, ids
from tests.support.listings.reading import PATH, PATIENT, SETTINGS, Call, reference
from tests.support.listings.reference import Reading
from tests.support.listings.site import Site
from tests.support.listings.transports import around, asked, raw


def found_in(reading: Reading) -> tuple[Any, ...]:
    return reading.records, reading.error, reading.reason or "", reading.is_proven, reading.warnings


def expected_of(one: Case) -> tuple[Any, ...]:
    return one.ids, one.error, one.reason or "", one.is_proven and one.error is None, set(one.warnings)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.id)
def test_list_is_read_to_its_end_and_the_reference_reader_agrees(one: Case) -> None:
    reading, requests = read(one.listing, tracks=one.tracks)

    assert found_in(reading) == expected_of(one)
    assert requests == one.requests
    by_rules = reference(one.listing, tracks=one.tracks)
    assert (*found_in(by_rules), by_rules.requests) == (*expected_of(one), one.requests)


ODATA: dict[str, Any] = {"kind": Kind.LINK_IN_BODY, "rows": ids(5), "sizes": (2,), "limit": 2}


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        (("@odata.nextLink",), "@odata.nextLink"),
        (("@odata.nextLink",), "`@odata.nextLink`"),
        (("@odata.nextLink",), '"@odata.nextLink"'),
        (("@odata.nextLink",), ["@odata.nextLink"]),
        (("meta", "odata.next"), "meta.`odata.next`"),
        (("meta", "odata.next"), ["meta", "odata.next"]),
        (("meta", "paging", "next"), "meta.paging?.next"),
        (("meta", "paging", "next"), "`meta`.`paging`?.next"),
    ],
    ids=str,
)
def test_key_is_found_however_it_is_written(keys: Sequence[str], path: Any) -> None:
    listing = Listing(**ODATA, next_at=keys, declared={"cursor_path": path})

    reading, requests = read(listing)

    assert (reading.records, reading.reason, requests) == (listing.ids, "no_cursor", 3)


@pytest.mark.parametrize("path", ["@odata.nextlink", "meta.next", "odata.nextLink", "meta.@odata.nextLink"])
def test_path_that_can_not_be_right_is_told(path: str) -> None:
    listing = Listing(**ODATA, next_at=["@odata.nextLink"], declared={"cursor_path": path})

    reading, requests = read(listing)

    assert (reading.error, reading.records, requests) == ("pagination", ["r1", "r2"], 1)


@pytest.mark.parametrize("kind", POINTED)
def test_circle_of_cursors_is_an_error_after_a_few_rounds(kind: Kind) -> None:
    listing = Listing(kind=kind, rows=ids(160), last=Last.CIRCLE)

    reading, requests = read(listing)

    assert (set(reading.records), reading.error) == (set(listing.ids), "repeated_cursor")
    assert requests <= 3 * len(listing.windows)


@pytest.mark.parametrize(
    ("kind", "what"),
    # To be patient with 429 takes a second.
    [*((kind, what) for kind in Kind for what in (408, 500, 502, 504, 529, "cut")), (Kind.PAGE, 429)],
    ids=str,
)
def test_fault_that_passes_changes_nothing_on_whichever_page(kind: Kind, what: Any) -> None:
    faults = [Fault(page=page, what=what, times=1) for page in ((0, 2, 3) if what != 429 else (2,))]
    listing = Listing(kind=kind, rows=ids(160), faults=faults)

    reading, requests = read(listing, PATIENT)

    expected = reference(listing)
    assert found_in(reading) == found_in(expected)
    assert requests == expected.requests + len(faults)


@pytest.mark.parametrize("one", CASES[::9], ids=lambda one: one.id)
def test_list_is_read_over_a_socket(source: HttpSource, upstream: Upstream, one: Case) -> None:
    site = Site({(PATH, None): one.listing})

    async def converse(request: Received, writer: StreamWriter) -> None:
        writer.write(raw(site.answer(asked(request.target, request.headers, request.body))))

    upstream.conversation = converse

    reading = Call(source, upstream.url).read(one.listing, tracks=one.tracks)

    assert found_in(reading) == expected_of(one)


def read(listing: Listing, settings: Settings = SETTINGS, *, tracks: bool = False) -> tuple[Reading, int]:
    """Read a list in this process; count the requests."""
    site = Site({(PATH, None): listing})
    source = HttpSource(settings, around=partial(around, site.answer))
    try:
        return Call(source).read(listing, tracks=tracks), len(site.requests)
    finally:
        source.close()
