"""Lists of every kind end as they should, whatever upstreams say and do; tests/support/listings holds the table."""

from asyncio import StreamWriter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from app.engine.record_errors import SourceError
from app.settings import Settings
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import Received, Upstream, reply
from tests.support.listings.cases import CASES, POINTED, Case
from tests.support.listings.listing import Fault, Kind, Last, Listing, ids
from tests.support.listings.reading import PATH, PATIENT, SETTINGS, Call, reference
from tests.support.listings.reference import Reading
from tests.support.listings.site import Site
from tests.support.listings.transports import around, asked, raw
from tests.support.patience import LONGEST_SECONDS


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


def test_caller_of_one_page_is_told_that_its_cursor_is_refused() -> None:
    listing = Listing(kind=Kind.CURSOR, rows=ids(160), faults=[Fault(page=2, what=410)])
    site = Site({(PATH, None): listing})
    with closing(HttpSource(SETTINGS, around=partial(around, site.answer))) as source:
        call = replace(Call(source).build(listing), is_handed_on=True, cursor={"next": "c2", "asked": 2})
        with pytest.raises(SourceError) as caught:
            source.submit(call).result(timeout=LONGEST_SECONDS)

    assert caught.value.code == "http_410"


def test_cursor_of_a_range_that_expires_is_none_past_the_end(source: HttpSource, upstream: Upstream) -> None:
    ranges: list[str] = []

    async def converse(request: Received, writer: StreamWriter) -> None:
        ranges.append(request.headers["range"])
        if ranges[-1] == "id ]a..":
            writer.write(reply({}, status=404))
        else:
            following = {"Next-Range": "id ]a.." if len(ranges) == 1 else "id ]b.."} if ranges[-1] != "id ]b.." else {}
            writer.write(reply({"items": [{"id": f"r{len(ranges)}"}]}, status=206, headers=following))

    upstream.conversation = converse

    reading = Call(source, upstream.url).read(Listing(kind=Kind.RANGE, rows=ids(3), limit=1))

    assert ranges == ["items=0-0", "id ]a..", "items=0-0", "id ]b.."]
    assert (reading.records, reading.reason, reading.warnings) == (["r1", "r3", "r4"], "no_cursor", {"cursor_expired"})


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (["r1", "r2", "r2", "r3"], (["r1", "r2", "r3"], "no_cursor")),
        (["r1", "r2", "r2", "r2"], (["r1", "r2"], "repeated_page")),
    ],
    ids=["moved", "clamped"],
)
def test_range_that_the_upstream_names_is_asked_once_more(
    source: HttpSource, upstream: Upstream, pages: Sequence[str], expected: tuple[Any, ...]
) -> None:
    left = list(pages)

    async def converse(request: Received, writer: StreamWriter) -> None:
        id = left.pop(0)
        following = {"Next-Range": f"id ]{len(left)}.."} if left else {}
        writer.write(reply({"items": [{"id": id}]}, status=206, headers=following))

    upstream.conversation = converse

    reading = Call(source, upstream.url).read(Listing(kind=Kind.RANGE, rows=ids(3), limit=1))

    assert (reading.records, reading.reason, reading.is_proven, left) == (*expected, False, [])


def test_first_page_of_a_list_that_is_requested_again_has_its_records(source: HttpSource, upstream: Upstream) -> None:
    answers = [
        reply({"items": [{"id": "r1"}], "meta": {"next": "x"}}),
        reply({}, status=410),
        reply({"others": [{"id": 1}], "meta": {}}),
    ]
    upstream.answer = lambda _: answers.pop(0)

    reading = Call(source, upstream.url).read(Listing(kind=Kind.CURSOR, rows=ids(3), limit=1))

    assert (reading.records, reading.error) == (["r1"], "no_records")


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


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("kind", Kind)
def test_list_that_has_moved_by_a_page_while_its_run_waited_is_read_to_its_end(kind: Kind, page: int) -> None:
    whole = Listing(kind=kind, rows=ids(160), content_range="star")
    limited = replace(whole, faults=[Fault(page=page, what="limit", times=1)], moves_after=page + 1)

    reading, requests = read(limited)

    assert (reading.records, reading.error, reading.is_proven) == (whole.ids, None, False)
    assert reading.warnings == {"list_changed", "unproven_end"}
    assert requests == reference(replace(whole, moves_after=page)).requests + 1


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
