"""Lists that are cut into parts, drawn by chance: whatever the records' places are, all of them come, and few twice."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import settings as chances
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.ids import new_id
from app.engine.integrations.config import parse_config
from app.engine.json_types import JsonObject
from app.engine.partitions.bounds import BoundFormat
from app.engine.record_errors import SourceError
from app.services.ports import FetchedPage, PageCall
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.http_source import HttpSource
from app.sources.sending import Attempt
from tests.support.listings.reading import SETTINGS
from tests.support.listings.transports import asked
from tests.support.patience import LONGEST_SECONDS

NOW: Final = 1_700_000_000
DAY: Final = 86400
SECONDS: Final = {BoundFormat.EPOCH: 1, BoundFormat.EPOCH_DAY: DAY, BoundFormat.ISO: 1, BoundFormat.DATE: DAY}
EXAMPLES: Final = 300 if os.environ.get("PROOFS") == "long" else 24


@dataclass(kw_only=True)
class Ranged:
    """A list by cursor that can be limited to a range, and grows while it is read."""

    created: list[int]
    """The moment of each record, whose id is its place here."""
    form: BoundFormat
    page_size: int
    cap: int | None
    tells_total: bool
    is_lower_excluded: bool
    arrivals: Sequence[int]
    """After how many answers a record is created, now."""
    answered: int = 0
    bounds: list[tuple[int | None, int | None]] = field(default_factory=list)
    fault: str = ""
    """``refuses``, ``ignores`` or ``ignores the end`` of a range; or some records have ``no date``."""
    departs_after: int | None = None
    """After how many answers the first record is deleted."""

    async def answer(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        query = asked(request.url, {}, b"").query
        lower, upper = (self._read(query.get(name)) for name in ("after", "before"))
        self.bounds.append((lower, upper))
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"}))
        if self.fault == "refuses" and (lower, upper) != (None, None):
            return HttpResponse(status=400, headers=headers, body=b'{"error": "unknown parameter"}')
        is_dateless = self.fault == "no date" and (lower, upper) != (None, None)
        lower, upper = (None if self.fault == "ignores" else lower), (None if "ignores" in self.fault else upper)
        unit = SECONDS[self.form]
        found = [
            {"id": number}
            for number, moment in enumerate(self.created)
            if (lower is None or (moment // unit > lower // unit if self.is_lower_excluded else moment >= lower))
            and (upper is None or moment < upper)
            and not (is_dateless and number % 7 == 0)
            and not (self.departs_after is not None and self.answered >= self.departs_after and not number)
        ]
        total, found = len(found), found[: self.cap]
        start = int(query.get("cursor", 0))
        end = start + self.page_size
        document: JsonObject = {"items": found[start:end], "next": str(end) if end < len(found) else None}
        if self.tells_total:
            document["total"] = total
        self.answered += 1
        self.created += [NOW] * self.arrivals.count(self.answered)
        return HttpResponse(status=200, headers=headers, body=json.dumps(document).encode())

    def _read(self, text: str | None) -> int | None:
        if text is None:
            return None
        if self.form in (BoundFormat.ISO, BoundFormat.DATE):
            return round(datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=UTC).timestamp())
        return int(text)


class Reader:
    """Reads one list after the other by one source."""

    def __init__(self) -> None:
        self.list: Ranged | None = None
        settings = replace(SETTINGS, read_ahead_bytes=4 * 1024 * 1024)
        self.source = HttpSource(settings, around=self._around)

    def _around(self, live: Attempt) -> Attempt:
        async def attempt(request: HttpRequest, timeout_seconds: float) -> HttpResponse:
            assert self.list is not None
            return await self.list.answer(request, timeout_seconds)

        return attempt

    def read(self, upstream: Ranged, order: Sequence[int], **partition: Any) -> list[FetchedPage]:
        """Read a list and its parts to their ends; ``order`` says which of those that are open goes on next."""
        self.list, call = upstream, _call(upstream, partition)
        open_lists: list[tuple[JsonObject | None, JsonObject | None]] = [(None, None)]
        pages: list[FetchedPage] = []
        while open_lists:
            part, cursor = open_lists.pop(order[len(pages) % len(order)] % len(open_lists))
            # As an element's frontier is kept: as JSON.
            part, cursor = json.loads(json.dumps([part, cursor]))
            page = self.source.submit(replace(call, part=part, cursor=cursor)).result(timeout=LONGEST_SECONDS)
            pages.append(page)
            open_lists += [(one, None) for one in page.parts]
            open_lists += [(part, page.next_cursor)] if page.leads_on else []
        return pages


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.source.close()


def _call(upstream: Ranged, partition: JsonObject) -> PageCall:
    paging: JsonObject = {"format": "cursor", "config": {"cursor_path": "next", "total_path": "total?"}}
    written = {
        "by": "time",
        "from": "after",
        "to": "before",
        "format": str(upstream.form),
        "from_excluded": upstream.is_lower_excluded,
        **({} if upstream.cap is None else {"max_results": upstream.cap}),
        **partition,
    }
    method = {"path": "/things", "response_path": "items", "pagination": paging, "partition": written}
    document = {"base_url": "http://ranged.invalid", "resources": {"things": {"list": method}}}
    config, failures = parse_config(document)
    assert config is not None, failures
    started_at = datetime.fromtimestamp(NOW, UTC)
    return PageCall(
        account_id=new_id(), config=config, context={}, resource="things", method="list", run_started_at=started_at
    )


# Spread over decades, crowded in an hour, at one moment, before 1970, and in the future.
moments = st.one_of(
    st.integers(0, NOW), st.integers(NOW - 3600, NOW), st.just(NOW - DAY), st.integers(-NOW, 0), st.just(2 * NOW)
)
crowds = st.lists(st.tuples(moments, st.integers(1, 40), st.integers(0, 50_000)), max_size=8)


def spread(crowds: Sequence[tuple[int, int, int]]) -> list[int]:
    """Place so many records from each moment on, so far apart."""
    return [moment + number * step for moment, count, step in crowds for number in range(count)]


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    crowds=crowds,
    form=st.sampled_from(sorted(SECONDS)),
    page_size=st.integers(1, 9),
    tells_total=st.booleans(),
    is_lower_excluded=st.booleans(),
    start=st.sampled_from([None, "1990-01-01", "2023-11-14"]),
    part_pages=st.none() | st.integers(1, 3),
    order=st.lists(st.integers(0, 100), min_size=1, max_size=9),
    arrivals=st.lists(st.integers(1, 80), max_size=3),
)
def test_every_record_of_a_list_in_parts_comes_and_once(
    reader: Reader,
    crowds: Sequence[tuple[int, int, int]],
    form: BoundFormat,
    start: str | None,
    part_pages: int | None,
    order: Sequence[int],
    **drawn: Any,
) -> None:
    created = spread(crowds)
    upstream = Ranged(created=list(created), form=form, cap=None, **drawn)
    guessed = {} if start is None else {"start": start if form in ("iso", "date") else _at(start)}

    pages = reader.read(upstream, order, part_pages=part_pages, **guessed)

    came = [record["id"] for page in pages for record in page.records]
    assert set(came) >= set(range(len(created)))
    assert len(came) == len(set(came))
    ends = [page for page in pages if not page.leads_on and not page.parts]
    assert all(page.fault is None and page.end is not None and page.end.is_proven for page in ends)
    _assert_few_requests(upstream, len(created) + len(upstream.arrivals), part_pages)


def _at(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def _assert_few_requests(upstream: Ranged, count: int, part_pages: int | None) -> None:
    """Claim that no more requests are made than the pages, each cut's dropped page, and each part's own page."""
    pages = -(-count // upstream.page_size)
    if not upstream.tells_total:
        assert len(upstream.bounds) <= pages + 2 + 21 + 64 + len(upstream.arrivals)
    elif part_pages is None and pages <= 8:
        assert len(upstream.bounds) <= max(1, pages) + 2 * len(upstream.arrivals)


@chances(deadline=None, max_examples=EXAMPLES)
@given(
    crowds=crowds.map(lambda all: [(moment, count, max(step, 1)) for moment, count, step in all]),
    page_size=st.integers(1, 9),
    cap=st.integers(20, 60),
    tells_total=st.booleans(),
    is_lower_excluded=st.booleans(),
    order=st.lists(st.integers(0, 100), min_size=1, max_size=9),
)
def test_a_capped_list_loses_nothing(
    reader: Reader,
    crowds: Sequence[tuple[int, int, int]],
    cap: int,
    order: Sequence[int],
    tells_total: bool,
    **drawn: Any,
) -> None:
    created = sorted(set(spread(crowds)))
    upstream = Ranged(created=created, form=BoundFormat.EPOCH, cap=cap, tells_total=tells_total, arrivals=(), **drawn)

    pages = reader.read(upstream, order)

    came = [record["id"] for page in pages for record in page.records]
    assert set(came) == set(range(len(created)))
    if tells_total:
        assert len(came) == len(created)


@chances(deadline=None, max_examples=EXAMPLES // 3)
@given(
    fault=st.sampled_from(["refuses", "ignores", "ignores the end", "no date"]),
    count=st.integers(20, 200),
    step=st.integers(1, 50_000),
    page_size=st.integers(1, 9),
    tells_total=st.booleans(),
    is_descending=st.booleans(),
    is_capped=st.booleans(),
)
def test_a_list_that_can_not_be_cut_is_read_as_a_whole_or_fails(
    reader: Reader, *, fault: str, count: int, step: int, is_descending: bool, is_capped: bool, **drawn: Any
) -> None:
    tells_total = drawn["tells_total"] or fault in ("ignores the end", "no date")  # else nothing shows it
    created = [NOW - 1 - number * step for number in range(count)][:: 1 if is_descending else -1]
    most = count // 2 if is_capped else None
    upstream = Ranged(
        created=created,
        form=BoundFormat.EPOCH,
        cap=most,
        is_lower_excluded=False,
        arrivals=(),
        fault=fault,
        page_size=drawn["page_size"],
        tells_total=tells_total,
    )
    upstream_total = -(-count // upstream.page_size)

    try:
        pages = reader.read(upstream, [0], start=NOW - count * step)
    except SourceError as error:
        assert is_capped
        assert error.code == "partition"
        return

    assert not is_capped or fault == "ignores the end"
    came = [record["id"] for page in pages for record in page.records]
    assert sorted(came) == list(range(count))
    warned = [warning.code for page in pages for warning in page.warnings]
    is_cut = upstream_total > 8 if tells_total else upstream_total > 1
    assert warned == (["not_partitioned"] if is_cut else [])


@pytest.mark.parametrize("departs_after", [1, 2])
def test_a_record_that_is_deleted_while_two_parts_are_tried_is_none_that_no_part_has(
    reader: Reader, departs_after: int
) -> None:
    """The list declares a record that neither part has: it is asked once more what it declares."""
    upstream = Ranged(
        created=[NOW - 1 - number * 1000 for number in range(100)],
        form=BoundFormat.EPOCH,
        page_size=5,
        cap=50,
        tells_total=True,
        is_lower_excluded=False,
        arrivals=(),
        departs_after=departs_after,
    )

    pages = reader.read(upstream, [0], start=NOW - 100_000)

    assert sorted(record["id"] for page in pages for record in page.records) == list(range(1, 100))
    assert [warning for page in pages for warning in page.warnings] == []
