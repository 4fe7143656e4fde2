"""What an integration's config says of requests, answers and pages, as a real server sees and gives it."""

from typing import Any

import pytest

from app.engine.record_errors import RateLimitedError, SourceError
from tests.integration.sources.raw_upstream import Client, Received, Upstream, reply

XML = {"Content-Type": "application/xml; charset=utf-8"}


def test_pages_by_range_end_where_the_content_range_says(client: Client, upstream: Upstream) -> None:
    def answer(request: Received) -> bytes:
        start, end = (int(part) for part in request.headers["range"].removeprefix("rows=").split("-"))
        records = list(range(start, min(end + 1, 5)))
        return reply(records, status=206, headers={"Content-Range": f"rows {start}-{start + len(records) - 1}/5"})

    upstream.answer = answer
    config = client.config(pagination={"format": "range", "range_unit": "rows", "limit": 2})

    assert client.fetch_all(config) == [0, 1, 2, 3, 4]
    assert [request.headers["range"] for request in upstream.received] == ["rows=0-1", "rows=2-3", "rows=4-5"]


def test_pages_by_range_follow_the_next_range(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply([1], status=206, headers={"Next-Range": "id ]1..; max=1"}), reply([2]))
    config = client.config(pagination={"format": "range", "range_unit": "id"})

    assert client.fetch_all(config) == [1, 2]
    assert upstream.received[1].headers["range"] == "id ]1..; max=1"


def test_a_range_behind_the_end_is_the_end(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply([1], status=206, headers={"Content-Range": "items 0-0/*"}), reply({}, status=416))
    config = client.config(pagination={"format": "range", "limit": 1})

    assert client.fetch_all(config) == [1]


def test_pages_by_expressions(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(
        reply({"items": [1], "meta": {"next": "b"}}),
        reply({"items": [2], "meta": {"next": "c"}}),
        reply({"items": [3], "meta": {}}),
    )
    config = client.config(
        response_path="items",
        pagination={
            "format": "dynamic",
            "config": {
                "get_initial_pagination_values_expression": '{"query": {"size": 1}, "headers": {"X-Page": "1"}}',
                "get_cursor_from_response_expression": "body.meta.next",
                "get_pagination_values_expression": (
                    '{"query": {"size": 1, "after": cursor}, "headers": {"X-Page": $string($number('
                    "paginationValues.headers.`X-Page`) + 1)}}"
                ),
            },
        },
    )

    assert client.fetch_all(config) == [1, 2, 3]
    assert [request.query for request in upstream.received][1:] == [
        [("size", "1"), ("after", "b")],
        [("size", "1"), ("after", "c")],
    ]
    assert [request.headers["x-page"] for request in upstream.received] == ["1", "2", "3"]


def test_pages_by_expressions_may_be_asked_for_in_the_body(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"items": [1], "next": 2}), reply({"items": [2]}))
    config = client.config(
        resources={"things": {"list": {"method": "post", "body": {"filter": "all"}, "response_path": "items"}}},
        pagination={
            "format": "dynamic",
            "get_pagination_values_expression": 'body.next ? {"body": {"page": body.next}} : null',
        },
    )

    assert client.fetch_all(config) == [1, 2]
    assert [request.body for request in upstream.received] == [b'{"filter":"all"}', b'{"filter":"all","page":2}']


def test_pages_by_expressions_keep_the_digits_of_a_long_cursor(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"items": [1], "next": 2**60 + 1}), reply({"items": [2]}))
    config = client.config(
        response_path="items",
        pagination={"format": "dynamic", "get_pagination_values_expression": 'body.next ? {"after": body.next} : null'},
    )

    assert client.fetch_all(config) == [1, 2]
    assert upstream.received[1].query == [("after", "1152921504606846977")]


def test_an_answer_that_is_no_json_is_an_error_in_words_that_can_be_kept(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"\0 broken")

    with pytest.raises(SourceError) as caught:
        client.fetch(client.config(error_expression="data"))

    assert caught.value.message.endswith("\ufffd broken")


FORMS = {"settings": {"list": {"response_format": "object"}}, "lines": {"list": {"api_response_format": "ndjson"}}}


@pytest.mark.parametrize(
    ("resource", "body", "records"),
    [
        ("things", b'{"a": {"id": 7}, "b": {"name": "x"}}', [{"id": 7}, {"name": "x", "id": "b"}]),
        ("things", b"[]", []),
        ("settings", b'{"theme": "dark"}', [{"theme": "dark"}]),
        ("lines", b'{"a": 1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ("lines", b"", []),
    ],
)
def test_a_list_may_be_declared_to_be_something_else(
    client: Client, upstream: Upstream, resource: str, body: bytes, records: list[Any]
) -> None:
    upstream.answer = lambda _: reply(raw=body, headers={"Content-Type": "text/plain"})
    config = client.config(response_format="map", resources=FORMS)

    assert client.fetch(config, resource=resource).records == records


def test_an_object_where_a_list_is_due_asks_for_its_form(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({"a": {"id": 7}})

    with pytest.raises(SourceError, match="response_format: 'map'"):
        client.fetch()


def test_expressions_that_run_in_circles_are_an_error(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply([len(upstream.received)])
    config = client.config(pagination={"format": "dynamic", "get_pagination_values_expression": '{"page": 1}'})

    with pytest.raises(SourceError) as caught:
        client.fetch_all(config)

    assert caught.value.code == "repeated_cursor"


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("response.ok = false ? response.error", "http_502", "200 OK: it_broke"),
        ('response.ok = false ? {"status": 404, "message": response.error}', "http_404", "it_broke"),
        ("$error('bad')", "expression", "error_expression can not be evaluated"),
    ],
)
def test_an_error_in_an_answer_that_says_200(
    client: Client, upstream: Upstream, expression: str, code: str, words: str
) -> None:
    upstream.answer = lambda _: reply({"ok": False, "error": "it_broke"})

    with pytest.raises(SourceError) as caught:
        client.fetch(client.config(error_expression=expression))

    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    "expression", ["response.ok = false ? response.error", "$string(response.failed)", "response.no", "{}", "[]", "0"]
)
def test_an_answer_without_an_error_passes_the_expression(client: Client, upstream: Upstream, expression: str) -> None:
    upstream.answer = lambda _: reply({"ok": True, "failed": False, "no": "0", "items": [1]})
    config = client.config(response_path="items", error_expression=expression)

    assert client.fetch(config).records == [1]


@pytest.mark.parametrize("expression", ["response.error", '$type(data) = "string" ? $error("no")'])
def test_a_body_that_is_cut_is_asked_for_again_whatever_the_expression_makes_of_it(
    client: Client, upstream: Upstream, expression: str
) -> None:
    upstream.in_turn(reply(raw=b'[{"id": 1}, {"i'), reply([{"id": 1}]))

    assert client.fetch(client.config(error_expression=expression)).records == [{"id": 1}]


def test_an_expression_tells_a_rate_limit(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({"error": "ratelimited"}, headers={"X-Wait-Ms": "60000"})
    config = client.config(
        error_expression='data.error = "ratelimited" ? {"status": 429}',
        rate_limit={"retry_after_header_expression": "$number(headers.`x-wait-ms`) / 1000"},
    )

    with pytest.raises(RateLimitedError) as caught:
        client.fetch(config)

    assert caught.value.retry_after_seconds == 60


def test_an_expression_signs_each_request(client: Client, upstream: Upstream) -> None:
    expression = '{"X-Signature": $join([context.secret, requestOptions.method, $string(requestOptions.query.a)], ".")}'
    config = client.config(authorization={"format": "header", "config": {"expression": expression}})
    upstream.answer = lambda _: reply({}, status=400)

    with pytest.raises(SourceError):
        client.fetch(config, context={"secret": "canary"}, query={"a": 5})

    assert upstream.received[0].headers["x-signature"] == "canary.GET.5"


@pytest.mark.parametrize("expression", ["5", '{"a": 5}', "$error(context.secret)"])
def test_an_expression_that_gives_no_headers_is_an_error(client: Client, upstream: Upstream, expression: str) -> None:
    config = client.config(authorization={"format": "header", "config": {"expression": expression}})

    with pytest.raises(SourceError) as caught:
        client.fetch(config, context={"secret": "canary"})

    assert caught.value.code == "expression"
    assert "canary" not in caught.value.message
    assert upstream.received == []


@pytest.mark.parametrize(
    ("format", "content_type", "body"),
    [
        ("form", "application/x-www-form-urlencoded", b"a%5B%5D=1&a%5B%5D=2"),
        ("xml", "application/xml", b'<?xml version="1.0" encoding="UTF-8"?><ask><a>1</a><a>2</a></ask>'),
        ("json", "application/json", b'{"a":[1,2]}'),
    ],
)
def test_bodies_and_queries_are_written_as_configured(
    client: Client, upstream: Upstream, format: str, content_type: str, body: bytes
) -> None:
    config = client.config(
        query_array_format="brackets",
        resources={"things": {"create": {"body_format": format, "body_format_config": {"root": "ask"}}}},
    )
    upstream.answer = lambda _: reply({"id": 1})

    client.fetch(config, method="create", body={"a": [1, 2]}, query={"tags": ["x", "y"]})

    (request,) = upstream.received
    assert (request.headers["content-type"], request.body) == (content_type, body)
    assert request.query == [("tags[]", "x"), ("tags[]", "y")]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("<r><list><item><id>1</id></item><item><id>2</id></item></list></r>", [{"id": "1"}, {"id": "2"}]),
        ("<r><list><item><id>1</id></item></list></r>", [{"id": "1"}]),
        ("<r><list/></r>", []),
    ],
)
def test_records_are_found_in_xml(client: Client, upstream: Upstream, text: str, records: list[Any]) -> None:
    upstream.answer = lambda _: reply(raw=text.encode(), headers=XML)

    assert client.fetch(client.config(response_path="r.list.item")).records == records


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<r><other/></r>", "no_records"),
        ('<!DOCTYPE r [<!ENTITY a "x">]><r>&a;</r>', "not_xml"),
        ("<r>", "not_xml"),
    ],
)
def test_xml_without_records_is_an_error(client: Client, upstream: Upstream, text: str, code: str) -> None:
    upstream.answer = lambda _: reply(raw=text.encode(), headers=XML)

    with pytest.raises(SourceError) as caught:
        client.fetch(client.config(response_path="r.list.item"))

    assert caught.value.code == code


@pytest.mark.parametrize(("is_read", "asked"), [(True, 3), (False, 1)])
def test_a_post_that_only_reads_is_retried_like_a_get(
    client: Client, upstream: Upstream, is_read: bool, asked: int
) -> None:
    upstream.in_turn(reply({}, status=500), reply({}, status=502), reply([{"id": 1}]))
    search = {"path": "/search", "method": "post", "is_read": is_read}
    config = client.config(resources={"r": {"search": search}})
    call: dict[str, Any] = {"config": config, "resource": "r", "method": "search"}

    if is_read:
        assert client.fetch(**call).records == [{"id": 1}]
    else:
        with pytest.raises(SourceError):
            client.fetch(**call)

    assert len(upstream.received) == asked


def test_a_cursor_goes_into_a_graphql_body(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"items": [1], "next": "b"}), reply({"items": [2]}))
    config = client.config(
        response_path="items",
        pagination={
            "format": "dynamic",
            "get_pagination_values_expression": "body.next ? {'body': {'variables': {'after': body.next}}} : null",
        },
        resources={"r": {"list": {"method": "post", "body": {"query": "{ items }", "variables": {"first": 1}}}}},
    )

    assert client.fetch_all(config, resource="r") == [1, 2]
    assert [request.body for request in upstream.received] == [
        b'{"query":"{ items }","variables":{"first":1}}',
        b'{"query":"{ items }","variables":{"first":1,"after":"b"}}',
    ]


def test_what_is_written_in_addresses_comes_as_it_is(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"items": [1], "next": "?expand[]=a&expand[]=b&c=%2F&page=2"}), reply({"items": [2]}))
    config = client.config(
        base_url=f"{upstream.url}/v1?key=k%2F1",
        response_path="items",
        pagination={"format": "cursor", "cursor_path": "next"},
        resources={"r": {"list": {"path": "/{{query.repo}}/r?expand[]=a&expand[]=b&flag"}}},
    )

    assert client.fetch_all(config, resource="r", query={"repo": "a/b%"}) == [1, 2]
    assert [request.target for request in upstream.received] == [
        "/v1/a/b%25/r?key=k%2F1&expand[]=a&expand[]=b&flag",
        "/v1/a/b%25/r?expand[]=a&expand[]=b&c=%2F&page=2&key=k%2F1",
    ]
