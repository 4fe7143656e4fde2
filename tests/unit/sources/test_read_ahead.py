"""Pages that are asked for side by side keep what pages in turn would have kept, whatever happens to the list."""

import asyncio
import gc
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import settings as chances
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.ids import new_id
from app.engine.integrations.config import parse_config
from app.engine.json_types import JsonObject
from app.services.ports import FetchedPage, PageCall
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.http_source import HttpSource
from app.sources.pagination.listing import Listing
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageAnswer
from app.sources.read_ahead import SharedBytes
from app.sources.sending import Attempt
from tests.support.listings.reading import SETTINGS
from tests.support.listings.transports import asked
from tests.support.patience import LONGEST_SECONDS

PAGE: Final = 3
MOST: Final = 8
FOREVER: Final = 10_000
EXAMPLES: Final = 1000 if os.environ.get("PROOFS") == "long" else 24

Change = tuple[int, str, float]
"""After how many answers, what, and where in the list as a part of its length."""


@dataclass
class Moving:
    """A list that changes while it is read, and whose pages are answered in any order."""

    ids: list[str]
    tells_total: bool = False
    changes: Sequence[Change] = ()
    delays: Sequence[int] = (0,)
    """Turns of the loop until each request is answered."""
    refuses: bool = False
    """It answers 404 behind its end."""
    requests: list[int] = field(default_factory=list)
    """The positions that were asked for."""
    under_way: int = 0
    most_under_way: int = 0
    answered: int = 0
    moved_up: set[str] = field(default_factory=set)
    """What pages in turn may miss as well."""

    async def answer(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        query = asked(request.url, {}, b"").query
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * PAGE
        self.requests.append(start)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for _ in range(self.delays[len(self.requests) % len(self.delays)]):
                await asyncio.sleep(0)
            return self._page(start)
        finally:
            self.under_way -= 1

    def _page(self, start: int) -> HttpResponse:
        document: JsonObject = {"items": [{"id": id} for id in self.ids[start : start + PAGE]]}
        if self.tells_total:
            document["total"] = len(self.ids)
        self.answered += 1
        for at, what, place in self.changes:
            if at == self.answered:
                self._change(what, int(place * len(self.ids)))
        is_behind = self.refuses and not document["items"]
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"}))
        return HttpResponse(status=404 if is_behind else 200, headers=headers, body=json.dumps(document).encode())

    def _change(self, what: str, index: int) -> None:
        if what == "insert":
            self.ids.insert(index, f"new-{self.answered}-{len(self.ids)}")
        elif self.ids:
            index = min(index, len(self.ids) - 1)
            # A bump is an update where the last change comes first.
            self.moved_up |= set(self.ids[index : index + 1] if what == "bump" else self.ids[index:])
            gone = self.ids.pop(index)
            self.ids[:0] = [gone] if what == "bump" else []


class Reader:
    """Reads one list after the other by one source."""

    def __init__(self, read_ahead_bytes: int = 4 * 1024 * 1024) -> None:
        self.list = Moving([])
        settings = replace(SETTINGS, read_ahead_bytes=read_ahead_bytes)
        self.source = HttpSource(settings, around=self._around)

    def _around(self, live: Attempt) -> Attempt:
        async def attempt(request: HttpRequest, timeout_seconds: float) -> HttpResponse:
            return await self.list.answer(request, timeout_seconds)

        return attempt

    def read(self, upstream: Moving, **pagination: Any) -> list[FetchedPage]:
        """Read a list to its end, up to ``MOST`` requests at once, as a slice does."""
        self.list = upstream
        call, pages = _call(upstream, pagination), [None]
        ahead, read = self.source.open_list(), []
        assert ahead is not None
        while pages:
            ahead.most = MOST
            page = ahead.submit(replace(call, cursor=pages.pop())).result(timeout=LONGEST_SECONDS)
            read.append(page)
            pages += [json.loads(json.dumps(page.next_cursor))] if page.leads_on else []
        ahead.close()
        return read


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.source.close()


def _call(upstream: Moving, pagination: JsonObject) -> PageCall:
    written = {"format": "page", "limit_param": "limit", "limit": PAGE, **pagination}
    if upstream.tells_total:
        written["total_path"] = "total"
    method = {"method": "get", "path": "/things", "response_path": "items", "pagination": written}
    document = {"base_url": "http://moving.invalid", "resources": {"things": {"list": method}}}
    config, failures = parse_config(document)
    assert config is not None, failures
    return PageCall(account_id=new_id(), config=config, context={}, resource="things", method="list")


def ids_of(pages: Sequence[FetchedPage]) -> list[str]:
    return [record["id"] for page in pages for record in page.records]


def listed(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def is_doubtful(pages: Sequence[FetchedPage]) -> bool:
    """Whether it is said that something may be missing: a page that moved by its length looks like its neighbour."""
    return any(page.fault or (page.end and not page.end.is_proven) for page in pages)


delays = st.lists(st.integers(0, 60), min_size=1, max_size=12)
places = st.floats(0, 1, exclude_max=True)
moments = st.integers(1, 60)
inserts = st.tuples(moments, st.just("insert"), places)


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    count=st.integers(0, 160),
    delays=delays,
    changes=st.lists(st.one_of(inserts, st.tuples(moments, st.just("delete"), places)), max_size=4),
    form=st.sampled_from(["page", "offset"]),
)
def test_a_list_with_a_total_loses_nothing_that_pages_in_turn_keep(
    reader: Reader, count: int, delays: list[int], changes: list[Change], form: str
) -> None:
    upstream = Moving(listed(count), tells_total=True, changes=changes, delays=delays)

    pages = reader.read(upstream, format=form)

    assert is_doubtful(pages) or (set(listed(count)) & set(upstream.ids)) - upstream.moved_up <= set(ids_of(pages))


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    count=st.integers(1, 160),
    delays=delays,
    changes=st.lists(
        st.one_of(st.tuples(moments, st.just("insert"), st.just(0.0)), st.tuples(moments, st.just("bump"), places)),
        max_size=4,
    ),
    refuses=st.booleans(),
)
def test_a_list_whose_last_change_comes_first_loses_nothing_that_pages_in_turn_keep(
    reader: Reader, count: int, delays: list[int], changes: list[Change], refuses: bool
) -> None:
    upstream = Moving(listed(count), changes=changes, delays=delays, refuses=refuses)

    pages = reader.read(upstream)

    assert is_doubtful(pages) or set(listed(count)) - upstream.moved_up <= set(ids_of(pages))


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    count=st.integers(1, 160),
    delays=delays,
    changes=st.lists(
        st.one_of(st.tuples(moments, st.just("insert"), st.just(1.0)), st.tuples(moments, st.just("delete"), places)),
        max_size=4,
    ),
    form=st.sampled_from(["page", "offset"]),
)
def test_a_list_in_the_order_of_creation_loses_nothing_that_pages_in_turn_keep(
    reader: Reader, count: int, delays: list[int], changes: list[Change], form: str
) -> None:
    upstream = Moving(listed(count), changes=changes, delays=delays)

    pages = reader.read(upstream, format=form)

    assert is_doubtful(pages) or (set(listed(count)) & set(upstream.ids)) - upstream.moved_up <= set(ids_of(pages))


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    count=st.integers(1, 300),
    delays=delays,
    tells_total=st.booleans(),
    refuses=st.booleans(),
    form=st.sampled_from(["page", "offset"]),
)
def test_a_list_that_stands_still_is_read_once_with_few_requests_more(
    reader: Reader, count: int, delays: list[int], tells_total: bool, refuses: bool, form: str
) -> None:
    upstream = Moving(listed(count), tells_total=tells_total, delays=delays, refuses=refuses)

    pages = reader.read(upstream, format=form)

    assert ids_of(pages) == listed(count)
    assert [page.end.is_proven for page in pages if page.end] == [not refuses or tells_total]
    needed = -(-count // PAGE)
    checks = needed // 32 + 1 if needed > 3 else 0
    if tells_total:
        assert len(upstream.requests) <= max(1, needed) + checks
        assert all(start < count for start in upstream.requests[1:])
    else:
        # Behind the end as many as may be under way, and no more than the list has.
        assert len(upstream.requests) <= needed + 1 + checks + min(MOST, needed) + refuses


def test_pages_are_asked_for_side_by_side(reader: Reader) -> None:
    upstream = Moving(listed(300), tells_total=True, delays=[200])

    reader.read(upstream)

    # A check is one more.
    assert MOST <= upstream.most_under_way <= MOST + 1


@dataclass
class Hanging(Moving):
    """A page of it is answered when nothing more is requested, and no sooner than ``at_least`` requests after it."""

    at_least: int = 0
    until_position: int = 0
    """Nor before this position was asked for."""
    asked_meanwhile: int = 0
    documents: int = 0
    """Decoded answers that are there meanwhile."""

    async def answer(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        start = (int(asked(request.url, {}, b"").query["page"]) - 1) * PAGE
        if start == 30 * PAGE:
            before, last, quiet = len(self.requests), 0, 0
            while quiet < 50 or last < before + self.at_least or max(self.requests) < self.until_position:
                await asyncio.sleep(0.002)
                quiet = quiet + 1 if len(self.requests) == last else 0
                last = len(self.requests)
            self.asked_meanwhile = last - before
            self.documents = sum(isinstance(one, PageAnswer) for one in gc.get_objects())
        return await super().answer(request, timeout_seconds)


def test_no_more_is_kept_than_the_bytes_that_are_allowed() -> None:
    """One page that hangs keeps all behind it waiting."""
    few, many = Reader(read_ahead_bytes=1000), Reader()
    narrow, wide = (Hanging(listed(600), tells_total=True, at_least=least) for least in (MOST + 1, 1000 // 50 + 1))

    assert [ids_of(one.read(upstream)) for one, upstream in ((few, narrow), (many, wide))] == [listed(600)] * 2

    few.source.close()
    many.source.close()
    # A page is some 60 bytes.
    assert MOST < narrow.asked_meanwhile <= 1000 // 50
    assert wide.asked_meanwhile <= 4 * MOST
    # Of what waits only the bodies are kept.
    assert wide.documents <= 2


def test_nothing_is_requested_behind_an_empty_page_that_has_arrived() -> None:
    """Its turn has not come, since a page before it hangs."""
    one, upstream = Reader(), Hanging(listed(33 * PAGE), tells_total=False, until_position=33 * PAGE)

    assert ids_of(one.read(upstream)) == listed(33 * PAGE)

    one.source.close()
    behind = [start for start in upstream.requests if start >= 33 * PAGE]
    assert 1 <= len(behind) <= MOST


def test_a_slice_that_ends_takes_in_what_came_without_a_check_every_few_pages() -> None:
    """Each check is a round trip in which nothing else is requested."""
    one = Reader()
    one.list = upstream = Hanging(listed(3000), tells_total=True)
    call, ahead, cursor, asked_before = _call(upstream, {}), one.source.open_list(), None, 0
    assert ahead is not None

    for number in range(1, 1000):
        ahead.most = 64 if number <= 31 else 0
        page = ahead.submit(replace(call, cursor=cursor)).result(timeout=LONGEST_SECONDS)
        cursor = json.loads(json.dumps(page.next_cursor))
        if number == 31:
            asked_before = len(upstream.requests)
        if number > 31 and not ahead.is_under_way:
            break

    one.source.close()
    assert number >= 200
    assert len(upstream.requests) - asked_before <= 2


def test_pages_that_were_requested_are_passed_over_but_for_the_next_one() -> None:
    call = _call(Moving([], tells_total=True), {})
    cursor = ListState(next=4, pages=3, asked=3, got=9, size=3, total=900).to_json()
    listing = Listing(call.config.find_method("things", "list").pagination, cursor, {}, request={}, plain=lambda it: it)

    found = [one.place for one in listing.list_ahead(cursor, 2, lambda place: place not in ("6", "9"))]

    assert found == ["4", "6", "9"]


def test_lists_that_are_read_at_once_share_the_bytes(reader: Reader) -> None:
    shared, lists = SharedBytes(1200), [reader.source.open_list() for _ in range(3)]

    shares = [shared.share]
    for one in lists:
        assert one is not None
        shared.count(one, is_kept=True)
        shared.count(one, is_kept=True)
        shares.append(shared.share)
    assert lists[0] is not None
    shared.count(lists[0], is_kept=False)

    assert [*shares, shared.share] == [1200, 1200, 600, 400, 600]


def test_a_list_that_is_not_to_be_read_in_parallel_has_one_request_at_a_time(reader: Reader) -> None:
    upstream = Moving(listed(300), tells_total=True, delays=[50])

    reader.read(upstream, parallel=False)

    assert upstream.most_under_way == 1
    assert upstream.requests == list(range(0, 300, PAGE))


def test_a_list_that_is_closed_sends_nothing_more(reader: Reader) -> None:
    """A slice that has lost its lease drops a page that it has just submitted: nobody would read what is behind it."""
    reader.list = upstream = Moving(listed(300), tells_total=True)
    call, ahead = _call(upstream, {}), reader.source.open_list()
    assert ahead is not None
    first = ahead.submit(call).result(timeout=30)
    asked = len(upstream.requests)

    ahead.close()
    with pytest.raises(CancelledError):
        ahead.submit(replace(call, cursor=first.next_cursor)).result(timeout=30)

    assert len(upstream.requests) in (asked, asked + 1)
    assert not ahead.is_under_way


def test_a_list_that_changes_is_read_again_in_turn_and_says_so(reader: Reader) -> None:
    changes = [(30, "insert", 0.0)]
    upstream = Moving(listed(150), changes=changes, delays=[40, 0, 10, 90])

    pages = reader.read(upstream)

    assert set(listed(150)) <= set(ids_of(pages))
    assert [warning.code for page in pages for warning in page.warnings] == ["list_changed"]


def test_a_list_that_has_moved_by_a_page_is_read_again_to_its_end(reader: Reader) -> None:
    """The page that is read again holds what the one before it held."""
    upstream = Moving(listed(150), changes=[(30, "insert", 0.0)] * PAGE, delays=[40, 0, 10, 90])

    pages = reader.read(upstream)

    assert set(listed(150)) <= set(ids_of(pages))
    assert [warning.code for page in pages for warning in page.warnings] == ["list_changed"]


def test_a_list_that_changes_all_the_time_is_read_in_turn_to_its_end(reader: Reader) -> None:
    # Fewer than a page while one hangs and four windows of others are answered: else it holds what the last one held.
    changes = [(at, "insert", 0.0) for at in range(5, FOREVER, 16)]
    upstream = Moving(listed(900), changes=changes, delays=[40, 0, 10, 90])

    pages = reader.read(upstream)

    assert set(listed(900)) <= set(ids_of(pages))
    assert [warning.code for page in pages for warning in page.warnings] == ["list_changed"] * 3
