"""What pagination adds to a body, what a header can be, and which requests may be sent twice."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.engine.integrations.config import parse_config
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.services.ports import PageCall
from app.sources import requests
from app.sources.exchange.exchange import HttpRequest
from app.sources.pagination.values import PageRequest
from app.sources.request_parts.drafts import RequestDraft

BASE = "https://api.test"


def drafted(method: Mapping[str, Any], *, base: Mapping[str, Any] | None = None, **call: Any) -> RequestDraft:
    raw = {"base_url": BASE, **(base or {}), "resources": {"r": {"list": {"path": "/r", **method}}}}
    integration, failures = parse_config(raw)
    assert not failures
    assert integration is not None
    defaults: dict[str, Any] = {"account_id": "a", "context": {}, "resource": "r", "method": "list"}
    page_call = PageCall(config=integration, **{**defaults, **call})
    return requests.draft(page_call, integration.find_method("r", page_call.method))


def finished(draft: RequestDraft, **ask: Any) -> HttpRequest:
    return requests.finish(draft, PageRequest(**ask), timeout_seconds=1)


# --- the body --------------------------------------------------------------------------------------------------------

GRAPHQL = {"query": "{ items }", "variables": {"first": 2, "filter": {"state": "open"}}}


@pytest.mark.parametrize(
    ("method", "fields", "body"),
    [
        ({}, {"cursor": "b"}, '{"cursor":"b"}'),
        ({"body": {"a": 1, "cursor": "a"}}, {"cursor": "b"}, '{"a":1,"cursor":"b"}'),
        ({"body": {"a": 1}}, {}, '{"a":1}'),
        (
            {"body": GRAPHQL},
            {"variables": {"after": "b"}},
            '{"query":"{ items }","variables":{"first":2,"filter":{"state":"open"},"after":"b"}}',
        ),
        (
            {"body": GRAPHQL},
            {"variables": {"filter": {"after": None}}},
            '{"query":"{ items }","variables":{"first":2,"filter":{"state":"open","after":null}}}',
        ),
        ({"body": '{"a": {"b": 1}}'}, {"a": {"c": "\u00e9"}}, '{"a":{"b":1,"c":"\u00e9"}}'),
        ({"body": {"variables": '{"first": 2}'}}, {"variables": {"after": "b"}}, None),
        ({"body": {"a": None}}, {"a": {"c": 1}}, '{"a":{"c":1}}'),
        ({"body": {"a": {"c": 1}}}, {"a": 2}, '{"a":2}'),
        ({"body": {"ids": [1, 2]}}, {"ids": [3]}, '{"ids":[3]}'),
        ({"body": {"a": {"b": 1}}, "body_format": "form"}, {"a": {"c": "x/y"}}, "a%5Bb%5D=1&a%5Bc%5D=x%2Fy"),
        ({"body_format": "form"}, {"cursor": "b"}, "cursor=b"),
        ({"body": '{"a": 1}', "body_format": "raw"}, {"cursor": "b"}, '{"a":1,"cursor":"b"}'),
        ({"body": {"ask": {"@v": "1"}}, "body_format": "xml"}, {"cursor": "b"}, '<ask v="1"><cursor>b</cursor></ask>'),
        ({"body": {"ask": {"x": 1}}, "body_format": "xml"}, {"ask": {"y": 2}}, "<ask><x>1</x><y>2</y></ask>"),
        ({"body": {"x": 1, "y": 2}, "body_format": "xml"}, {"y": 3}, "<request><x>1</x><y>3</y></request>"),
        ({"body_format": "xml"}, {"cursor": "b"}, "<cursor>b</cursor>"),
    ],
)
def test_what_pagination_asks_for_is_merged_into_the_body(
    method: dict[str, Any], fields: dict[str, Any], body: str | None
) -> None:
    request = finished(drafted({"method": "post", **method}), body=fields)

    assert request.body is not None
    expected = body or '{"variables":"{\\"first\\":2,\\"after\\":\\"b\\"}"}'
    assert request.body.decode().removeprefix('<?xml version="1.0" encoding="UTF-8"?>') == expected


def test_a_multipart_body_gets_a_part_for_what_pagination_asks_for() -> None:
    method = {"method": "post", "body": {"a": ["x", None], "n": None}, "body_format": "multipart"}

    request = finished(drafted(method), body={"cursor": "b"})

    assert request.body is not None
    assert request.body.count(b"Content-Disposition") == 2
    assert b'name="cursor"\r\n\r\nb' in request.body


@pytest.mark.parametrize(
    "method",
    [
        {"body": [1, 2]},
        {"body": "plain"},
        {"body": "[1]"},
        {"body": {"cursor": [1]}},
        {"body": {"cursor": "opaque"}},
        {"body": "<a/>", "body_format": "xml"},
        {"body": "a", "body_format": "raw"},
    ],
)
def test_a_body_that_can_take_no_field_is_an_error(method: dict[str, Any]) -> None:
    draft = drafted({"method": "post", **method})

    with pytest.raises(SourceError, match="pagination adds fields to the body") as caught:
        finished(draft, body={"cursor": {"after": 1}})

    assert caught.value.code == "request"


def test_a_draft_is_not_changed_by_its_pages() -> None:
    draft = drafted({"method": "post", "body": GRAPHQL})

    finished(draft, body={"variables": {"after": "b", "filter": {"x": 1}}})

    assert draft.body == {"query": "{ items }", "variables": {"first": 2, "filter": {"state": "open"}}}


# --- headers, and whether it may be repeated -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [("\u00e9", "\u00e9"), (True, "true"), (5.0, "5"), ([1, None, "a"], "1, a"), ("a\tb", "a\tb"), ("%2F", "%2F")],
)  # fmt: skip
def test_a_header_is_sent_as_it_is(value: JSON, text: str) -> None:
    draft = drafted({"headers": {"X-A": "{{query.v:any}}"}}, query={"v": value})

    assert finished(draft).headers["X-A"] == text


@pytest.mark.parametrize("place", ["headers", "authorization", "signature"])
@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "TE", "Upgrade", "Expect", "Trailer"])
def test_a_header_of_the_connection_is_refused(name: str, place: str) -> None:
    """Others ask by the same connection: a body that ends too early begins the request of the next one."""
    sign = {"format": "header", "config": {"expression": f"{{'{name}': 'chunked'}}"}}
    of_place: dict[str, JsonObject] = {
        "headers": {"headers": {name: "chunked"}},
        "authorization": {"authorization": {"format": "header", "config": {"header_name": name, "value": "chunked"}}},
        "signature": {"authorization": sign},
    }
    draft = drafted({}, base=of_place[place])

    with pytest.raises(SourceError, match=f"header '{name}' is set by Ferryman alone") as caught:
        finished(draft)

    assert caught.value.code == "request"


@pytest.mark.parametrize("value", ["s3cret\n", "a\r\nX-B: c", "a\x00", "\x7f", "\ud800"])
def test_a_header_with_a_control_character_is_told_by_its_name(value: str) -> None:
    draft = drafted({"authorization": {"format": "bearer", "config": {"token": "{{t}}"}}}, context={"t": value})

    with pytest.raises(SourceError) as caught:
        finished(draft)

    assert (caught.value.code, caught.value.message) == (
        "request",
        "header 'Authorization' holds a line break or another control character",
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("X-A", {"a": 1}, "header 'X-A' is expected to be a text, found an object"),
        ("X A", "1", "a header's name holds"),
        ("", "1", "a header's name holds"),
        ("X:A", "1", "a header's name holds"),
    ],
)
def test_what_can_be_no_header_is_an_error(name: str, value: JSON, message: str) -> None:
    draft = drafted({"headers": {name: "{{query.v:any}}"}}, query={"v": value})

    with pytest.raises(SourceError, match=message):
        finished(draft)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_post_that_only_reads_may_be_repeated(is_read: bool) -> None:
    raw = {"base_url": BASE, "resources": {"r": {"search": {"path": "/r", "method": "post", "is_read": is_read}}}}
    integration, failures = parse_config(raw)
    assert not failures
    assert integration is not None
    call = PageCall(account_id="a", config=integration, context={}, resource="r", method="search")

    assert requests.draft(call, integration.find_method("r", "search")).is_repeatable is is_read


@pytest.mark.parametrize(
    ("method", "call", "sent"),
    [
        ({"add_query_to_body": True}, {"query": {"a": "1"}, "body": {"b": 2, "a": 0}}, b'{"b":2,"a":"1"}'),
        ({"add_query_to_body": True, "body": {"b": 2}}, {"query": {"a": "1"}}, b'{"b":2,"a":"1"}'),
        ({"add_query_to_body": True}, {"query": {}}, None),
        ({"add_query_to_body": True, "path": "/{{query.a}}"}, {"query": {"a": "1", "c": "2"}}, b'{"c":"2"}'),
        ({"add_query_to_body": True, "method": "get"}, {"query": {"a": "1"}}, None),
        ({"ignore_body": True, "body": {"b": 2}}, {"body": {"c": 1}}, None),
        ({"set_body_to_null": True}, {"body": {"c": 1}}, b"null"),
        ({"set_body_to_null": True, "body_format": "form"}, {}, b"null"),
        ({"ignore_body": True, "set_body_to_null": True}, {"body": {"c": 1}}, None),
    ],
    ids=str,
)
def test_a_body_is_made_of_the_query_or_left_out(
    method: Mapping[str, Any], call: Mapping[str, Any], sent: bytes | None
) -> None:
    request = finished(drafted({"method": "post", **method}, **call))

    assert request.body == sent
    assert (request.headers.get("Content-Type") == "application/json") == (sent is not None)


def test_the_query_stays_in_the_address_too() -> None:
    request = finished(drafted({"method": "post", "add_query_to_body": True}, query={"a": "1"}))

    assert request.url.endswith("?a=1")
