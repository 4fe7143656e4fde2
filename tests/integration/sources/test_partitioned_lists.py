"""Lists that are cut into parts, on a real server: nothing is lost, nothing comes twice, and few requests are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from app.engine.ids import new_id
from app.engine.integrations.config import parse_config
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.services.ports import FetchedPage, PageCall
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import Received, Upstream, reply

PAGE: Final = 5
START: Final = 1_600_000_000
SPAN: Final = 10_000_000
RANGE: Final[JsonObject] = {"by": "time", "from": "after", "to": "before", "format": "epoch", "start": START}


@dataclass
class Ranged:
    """An API whose lists can be limited to a range of times, and may be capped."""

    upstream: Upstream
    created: Sequence[int]
    cap: int | None = None
    tells_total: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.upstream.answer = self.answer

    def answer(self, request: Received) -> bytes:
        query = dict(request.query)
        self.asked.append(query)
        lower, upper = int(query.get("after", 0)), int(query.get("before", 10**18))
        found = [{"id": at, "created": one} for at, one in enumerate(self.created) if lower <= one < upper]
        total, found = len(found), found[: self.cap]
        start = int(query.get("cursor", 0))
        end = start + PAGE
        body: JsonObject = {"data": found[start:end], "next": str(end) if end < len(found) else None}
        return reply({**body, "total": total} if self.tells_total else body)


def call_of(url: str, partition: JsonObject, **asked: Any) -> PageCall:
    paging: JsonObject = {"format": "cursor", "config": {"cursor_path": "next", "total_path": "total?"}}
    method = {"path": "/things", "response_path": "data", "pagination": paging, "partition": partition}
    config, failures = parse_config({"base_url": url, "resources": {"things": {"list": method}}})
    assert config is not None, failures
    return PageCall(account_id=new_id(), config=config, context={}, resource="things", method="list", **asked)


def read(source: HttpSource, call: PageCall) -> list[FetchedPage]:
    """Read a list and its parts to their ends, as slices of work do."""
    open_lists: list[tuple[JsonObject | None, JsonObject | None]] = [(call.part, None)]
    pages: list[FetchedPage] = []
    while open_lists:
        part, cursor = open_lists.pop()
        page = source.submit(replace(call, part=part, cursor=cursor)).result(timeout=30)
        pages.append(page)
        open_lists += [(found, None) for found in page.parts]
        open_lists += [(part, page.next_cursor)] if page.leads_on else []
    return pages


def ids_of(pages: Sequence[FetchedPage]) -> list[int]:
    return sorted(record["id"] for page in pages for record in page.records)


def spread(count: int) -> list[int]:
    return [START + number * SPAN // max(count, 1) for number in range(count)]


DATES: Final[Mapping[str, Any]] = {
    "even": spread,
    "late": lambda count: [START + SPAN - count + number for number in range(count)],
    "early": lambda count: [START - SPAN + number for number in range(count)],
    "pairs": lambda count: [START + number // 2 * 100 for number in range(count)],
}


@pytest.mark.parametrize("dates", DATES)
@pytest.mark.parametrize("tells_total", [True, False], ids=["total", "no total"])
@pytest.mark.parametrize("cap", [None, 40], ids=["uncapped", "capped"])
@pytest.mark.parametrize("count", [0, 1, 5, 6, 40, 41, 600])
def test_every_record_comes_and_none_is_counted_twice(
    source: HttpSource, upstream: Upstream, count: int, cap: int | None, tells_total: bool, dates: str
) -> None:
    api = Ranged(upstream, DATES[dates](count), cap=cap, tells_total=tells_total)
    partition = RANGE if cap is None else {**RANGE, "max_results": cap}

    pages = read(source, call_of(upstream.url, partition))

    whole = list(range(count))
    assert sorted(set(ids_of(pages))) == whole
    if cap is None or tells_total:
        # Else what a part had before it was full comes again with its halves.
        assert ids_of(pages) == whole
    assert all(page.fault is None for page in pages)
    if count <= PAGE:
        assert len(api.asked) == 1


@pytest.mark.parametrize("tells_total", [True, False])
def test_a_list_that_is_spread_evenly_costs_few_requests_more(
    source: HttpSource, upstream: Upstream, tells_total: bool
) -> None:
    api = Ranged(upstream, spread(6000), tells_total=tells_total)

    pages = read(source, call_of(upstream.url, {**RANGE, "end": START + SPAN}))

    assert ids_of(pages) == list(range(6000))
    assert len(api.asked) <= 1.35 * 6000 / PAGE
    longest = max(page_of_part for page_of_part in count_pages(api).values())
    assert longest <= 30


def count_pages(api: Ranged) -> dict[tuple[str | None, str | None], int]:
    pages: dict[tuple[str | None, str | None], int] = {}
    for query in api.asked:
        key = (query.get("after"), query.get("before"))
        pages[key] = pages.get(key, 0) + 1
    return pages


def test_what_can_not_be_cut_is_an_error_and_no_end(source: HttpSource, upstream: Upstream) -> None:
    Ranged(upstream, [START + 7] * 60, cap=40)

    with pytest.raises(SourceError, match="at most 40 records of a list") as error:
        read(source, call_of(upstream.url, {**RANGE, "max_results": 40}))

    assert error.value.code == "partition"


def test_an_increment_is_cut_from_where_it_begins(source: HttpSource, upstream: Upstream) -> None:
    api = Ranged(upstream, spread(600), tells_total=True)
    since = START + SPAN // 2

    pages = read(source, call_of(upstream.url, RANGE, query={"after": str(since)}))

    assert ids_of(pages) == list(range(300, 600))
    assert all(int(query["after"]) >= since for query in api.asked)


def test_parts_of_a_given_length_need_no_first_answer(source: HttpSource, upstream: Upstream) -> None:
    api = Ranged(upstream, spread(100))
    partition = {**RANGE, "end": START + SPAN, "step": SPAN // 10}

    pages = read(source, call_of(upstream.url, partition, query={"after": str(START)}))

    assert ids_of(pages) == list(range(100))
    assert (pages[0].is_requested, len(pages[0].parts), len(count_pages(api))) == (False, 10, 10)


def test_known_values_are_parts_of_one_list(source: HttpSource, upstream: Upstream) -> None:
    asked: list[JSON] = []

    def answer(request: Received) -> bytes:
        project = dict(request.query)["project"]
        asked.append(project)
        return reply({"data": [{"id": f"{project}-1"}], "next": None})

    upstream.answer = answer
    partition: JsonObject = {"by": "value", "param": "project", "values": ["a", "b", 3, "a"]}

    pages = read(source, call_of(upstream.url, partition))

    assert sorted(asked, key=str) == ["3", "a", "b"]
    assert sorted(record["id"] for page in pages for record in page.records) == ["3-1", "a-1", "b-1"]


def test_a_direct_call_gets_the_page_itself(source: HttpSource, upstream: Upstream) -> None:
    Ranged(upstream, spread(600), tells_total=True)

    page = source.submit(replace(call_of(upstream.url, RANGE), is_handed_on=True)).result(timeout=30)

    assert (len(page.records), page.parts) == (PAGE, ())
