"""Whole listings over real servers that hand out their pages in different ways, and some that lie."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from app.engine.record_errors import SourceError
from tests.integration.sources.raw_upstream import Client, Received, Upstream, reply

Slicer = Callable[[list[Any], dict[str, str]], bytes]


def serve(upstream: Upstream, count: int, slicer: Slicer) -> list[Any]:
    records = [{"id": number} for number in range(1, count + 1)]
    upstream.answer = lambda request: slicer(records, dict(request.query))
    return records


def by_page(records: list[Any], query: dict[str, str]) -> bytes:
    size = min(int(query.get("per_page", "7")), 50)
    start = (int(query["page"]) - 1) * size
    return reply(records[start : start + size])


def by_page_or_404(records: list[Any], query: dict[str, str]) -> bytes:
    size = int(query["per_page"])
    start = (int(query["page"]) - 1) * size
    page = records[start : start + size]
    return reply(page) if page or start == 0 else reply({"detail": "Invalid page."}, status=404)


def by_offset(records: list[Any], query: dict[str, str]) -> bytes:
    start = int(query["offset"])
    return reply(records[start : start + min(int(query.get("limit", "20")), 50)])


def by_last_id(records: list[Any], query: dict[str, str]) -> bytes:
    start, size = int(query.get("starting_after", "0")), int(query["limit"])
    return reply({"data": records[start : start + size], "has_more": start + size < len(records)})


def all_at_once(records: list[Any], _query: dict[str, str]) -> bytes:
    return reply(records)


PAGE: JsonObject = {"format": "page", "config": {"page_param": "page", "limit_param": "per_page", "limit": 10}}
UNBOUNDED_PAGE = {"format": "page", "config": {"page_param": "page"}}
OFFSET = {"format": "offset", "config": {"limit": 30}}
LAST_ID = {
    "format": "cursor",
    "config": {
        "cursor_path": "data.-1.id",
        "cursor_param": "starting_after",
        "limit_param": "limit",
        "limit": 10,
        "has_more_path": "has_more",
    },
}


SHORT_PAGE: JsonObject = {"format": "page", "config": {**PAGE["config"], "short_page_ends": True}}


@pytest.mark.parametrize(
    ("pagination", "slicer", "query", "count", "requests"),
    [
        (PAGE, by_page, {}, 0, 1),
        (PAGE, by_page, {}, 9, 2),
        (PAGE, by_page, {}, 10, 2),
        (PAGE, by_page, {}, 25, 4),
        (PAGE, by_page_or_404, {}, 20, 4),
        (PAGE, by_page, {"per_page": 5}, 12, 4),
        (PAGE, by_page, {"per_page": 200}, 120, 4),
        (SHORT_PAGE, by_page, {}, 9, 1),
        (SHORT_PAGE, by_page, {}, 10, 2),
        (SHORT_PAGE, by_page, {}, 25, 3),
        (SHORT_PAGE, by_page, {"per_page": 200}, 120, 3),
        (UNBOUNDED_PAGE, by_page, {}, 20, 4),
        (OFFSET, by_offset, {}, 95, 5),
        (OFFSET, by_offset, {"limit": 100}, 120, 4),
        (LAST_ID, by_last_id, {}, 35, 4),
        (LAST_ID, by_last_id, {}, 0, 1),
    ],
    ids=[
        "none",
        "one-short-page",
        "one-full-page",
        "pages",
        "404-behind-the-last-page",
        "the-jobs-own-limit",
        "a-server-that-caps-its-pages",
        "declared-one-short-page",
        "declared-one-full-page",
        "declared-pages",
        "declared-a-server-that-caps-its-pages",
        "pages-of-unknown-size",
        "offset",
        "offset-with-a-capping-server",
        "last-id",
        "last-id-of-none",
    ],
)
def test_a_listing_gives_every_record_once(
    client: Client,
    upstream: Upstream,
    pagination: Any,
    slicer: Slicer,
    query: dict[str, int],
    count: int,
    requests: int,
) -> None:
    records = serve(upstream, count, slicer)
    config = client.config(
        pagination=pagination,
        resources={
            "things": {"list": {"path": "/things", **({"response_path": "data"} if slicer is by_last_id else {})}}
        },
    )

    assert client.fetch_all(config, query=query) == records
    assert len(upstream.received) == requests


def test_a_null_limit_is_not_sent(client: Client, upstream: Upstream) -> None:
    serve(upstream, 9, by_page)

    assert len(client.fetch_all(client.config(pagination=PAGE), query={"per_page": None})) == 9
    assert [request.target for request in upstream.received] == [f"/things?page={page}" for page in (1, 2, 3)]


def test_a_listing_that_ignores_the_page_is_an_error(client: Client, upstream: Upstream) -> None:
    serve(upstream, 10, all_at_once)

    with pytest.raises(SourceError) as caught:
        client.fetch_all(client.config(pagination=PAGE))

    assert caught.value.code == "repeated_page"


CURSOR = {
    "pagination": {"format": "cursor", "config": {"cursor_path": "next", "cursor_param": "after", "limit_param": "n"}},
    "response_path": "data",
}


@pytest.mark.parametrize("end", [None, "", False, "absent"])
def test_a_cursor_listing_ends(client: Client, upstream: Upstream, end: Any) -> None:
    last = {"data": [2]} if end == "absent" else {"data": [2], "next": end}
    upstream.in_turn(reply({"data": [1], "next": 17}), reply(last))

    assert client.fetch_all(client.config(**CURSOR), query={"kind": "a b"}) == [1, 2]
    assert [request.target for request in upstream.received] == [
        "/things?kind=a%20b&n=100",
        "/things?kind=a%20b&n=100&after=17",
    ]


@pytest.mark.parametrize("cursor", [True, 1.5, {"id": 1}, ["x"]])
def test_a_cursor_that_can_not_be_sent_is_an_error(client: Client, upstream: Upstream, cursor: Any) -> None:
    upstream.answer = lambda _: reply({"data": [1], "next": cursor})

    page = client.fetch(client.config(**CURSOR))

    assert page.fault and "expected a text or an integer as the cursor at 'next', found a" in page.fault.message
    assert page.records == [1]


@pytest.mark.parametrize("cursor", ["a" * 65_537, "/things?after=" + "%2525" * 20_000], ids=["value", "link"])
def test_a_cursor_that_is_longer_than_a_header_is_an_error(client: Client, upstream: Upstream, cursor: str) -> None:
    upstream.answer = lambda _: reply({"data": [1], "next": cursor})

    page = client.fetch(client.config(**CURSOR))

    assert page.fault and f"has {len(cursor)} characters: expected at most 65536" in page.fault.message
    assert page.records == [1]


def test_zero_is_a_cursor(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [1], "next": 0}), reply({"data": [2], "next": None}))

    assert client.fetch_all(client.config(**CURSOR)) == [1, 2]
    assert dict(upstream.received[1].query)["after"] == "0"


def test_an_empty_page_with_a_cursor_goes_on(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [], "next": "b"}), reply({"data": [1]}))

    assert client.fetch_all(client.config(**CURSOR)) == [1]


def test_a_cursor_that_names_its_own_page_is_asked_once_more(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [1], "next": "b"}), reply({"data": [2], "next": "b"}))

    assert client.fetch_all(client.config(**CURSOR)) == [1, 2]
    assert len(upstream.received) == 3


def test_a_cursor_for_two_different_pages_is_an_error_that_keeps_both(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(*(reply({"data": [number], "next": "b"}) for number in (1, 2, 3)))
    config = client.config(**CURSOR)
    first = client.fetch(config)
    second = client.fetch(config, cursor=first.next_cursor)

    third = client.fetch(config, cursor=second.next_cursor)

    assert [second.records, third.records] == [[2], [3]]
    assert third.fault and third.fault.code == "repeated_cursor"


def test_a_circle_of_cursors_is_found(client: Client, upstream: Upstream) -> None:
    def answer(request: Received) -> bytes:
        position = int(dict(request.query).get("after", "0"))
        return reply({"data": [position, len(upstream.received)], "next": str(3 + (position + 1) % 7)})

    upstream.answer = answer

    with pytest.raises(SourceError) as caught:
        client.fetch_all(client.config(**CURSOR))

    assert caught.value.code == "repeated_cursor"


def test_a_cursor_that_is_an_address_is_followed(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(
        reply({"data": [1], "next": f"{upstream.url}/v2/things?page%5Bafter%5D=x%2By"}),
        reply({"data": [2], "next": "/v2/things?page=3&key=own"}),
        reply({"data": [3], "next": None}),
    )
    config = client.config(**CURSOR, query={"key": "k"})

    assert client.fetch_all(config, query={"since": "2026"}) == [1, 2, 3]
    assert [request.target for request in upstream.received[1:]] == [
        "/v2/things?page%5Bafter%5D=x%2By&key=k",
        "/v2/things?page=3&key=own",
    ]


@pytest.mark.parametrize("address", ["http://elsewhere.invalid/a", "//elsewhere.invalid/a", "https://127.0.0.1/a"])
def test_an_address_on_another_origin_is_never_followed(client: Client, upstream: Upstream, address: str) -> None:
    upstream.in_turn(reply([1], headers={"Link": f'<{address}>; rel="next"'}))

    with pytest.raises(SourceError) as caught:
        client.fetch_all(client.config(pagination={"format": "link_header"}))

    assert caught.value.code == "request"
    assert len(upstream.received) == 1


def test_a_link_header_leads_through_the_pages(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(
        reply([1], headers={"Link": f'<{upstream.url}/things?page=1>; rel="prev", </things?page=2&q=a,b>; REL=next'}),
        reply([2], headers={"Link": '<?page=3>; title="a, <b>; rel=x"; rel="last next"'}),
        reply([3], headers={"Link": '</things?page=1>; rel="first"'}),
    )

    assert client.fetch_all(client.config(pagination={"format": "link_header"})) == [1, 2, 3]
    assert [request.target for request in upstream.received] == ["/things", "/things?page=2&q=a,b", "/things?page=3"]


def test_only_lists_are_paged_unless_a_method_has_a_pagination_of_its_own(client: Client, upstream: Upstream) -> None:
    config = client.config(
        pagination=PAGE, resources={"things": {"search": {"path": "/search", "method": "post", "pagination": PAGE}}}
    )
    upstream.answer = lambda _: reply([{"id": 1}])

    client.fetch(config, method="get", id="1")
    client.fetch(config, method="search")

    assert [request.target for request in upstream.received] == ["/things/1", "/search?per_page=10&page=1"]


@pytest.mark.parametrize(
    ("first", "second", "targets"),
    [
        ("items?page=2", "items?page=3", ["/v1/items?page=2", "/v1/items?page=3"]),
        ("/v1/items/page/2", "3", ["/v1/items/page/2", "/v1/items?after=3"]),
        ("?page=2", "?page=3", ["/v1/items?page=2", "/v1/items?page=3"]),
        ("page/2", "../page/3", ["/v1/page/2", "/v1/page/3"]),
        ("/abc+/==", "AB?/c=", ["/v1/items?after=%2Fabc%2B%2F%3D%3D", "/v1/items?after=AB%3F%2Fc%3D"]),
    ],
    ids=["relative", "path-then-value", "query", "folders", "base64"],
)
def test_a_next_value_is_followed_or_sent(
    client: Client, upstream: Upstream, first: str, second: str, targets: list[str]
) -> None:
    pages = [{"data": [1], "next": first}, {"data": [2], "next": second}, {"data": [3]}]
    upstream.in_turn(*(reply(page) for page in pages))
    pagination = {"format": "cursor", "config": {"cursor_path": "next", "cursor_param": "after"}}
    resources = {"items": {"list": {"path": "/v1/items"}}}
    config = client.config(pagination=pagination, response_path="data", resources=resources)

    assert client.fetch_all(config, resource="items") == [1, 2, 3]
    assert [request.target for request in upstream.received[1:]] == targets


def test_no_secret_of_a_next_address_is_kept(client: Client, upstream: Upstream) -> None:
    address = f"{upstream.url}/things?key=s3cret&page="
    answers = [reply({"data": [page], "next": f"{address}{page + 1}"}) for page in range(4)]
    upstream.in_turn(*answers, reply({"data": []}))
    config = client.config(**CURSOR, query={"key": "{{context.key}}"})

    pages = client.pages(config, context={"key": "s3cret"})

    assert [page.records for page in pages] == [[0], [1], [2], [3], []]
    assert "s3cret" not in json.dumps([page.next_cursor for page in pages])
    assert all(dict(request.query)["key"] == "s3cret" for request in upstream.received)
