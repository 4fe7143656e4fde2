import json
import re
import time
from datetime import UTC, datetime

import pytest

from app.engine.record_errors import PlaceholderError, RateLimitedError, SourceError
from app.engine.unified.calls import UnifiedRequest, prepare_call
from app.engine.unified.mapping import parse_mapping
from tests.integration.sources.raw_upstream import Client, Upstream, reply

TICKETS = {"resources": {"tickets": {"list": {"path": "/tickets", "response_path": "data"}}}}


def failure(client: Client, *args: object, **call: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        client.fetch(*args, **call)  # type: ignore[arg-type]
    return caught.value


def test_a_page_tells_its_records_status_date_and_address(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(
        {"data": [{"id": 1}, "text", 7]}, headers={"Date": "Mon, 05 Jan 2026 10:00:00 GMT"}
    )

    page = client.fetch(client.config(**TICKETS), resource="tickets", query={"key": "x"})

    assert page.records == [{"id": 1}, "text", 7]
    assert page.status == 200
    assert page.server_date == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert page.url == f"{upstream.url}/tickets"
    assert page.next_cursor is None


@pytest.mark.parametrize(("id", "is_short"), [(2**49, True), (2**60, False)])
def test_a_page_that_is_mapped_tells_whether_its_integers_are_short(
    client: Client, upstream: Upstream, id: int, is_short: bool
) -> None:
    upstream.answer = lambda _: reply({"data": [{"id": id}]})
    mapping, _ = parse_mapping({}, resource="tickets", method="list")
    assert mapping is not None
    call = prepare_call(mapping, UnifiedRequest(), {}, monotonic=time.monotonic)

    page = client.fetch(client.config(**TICKETS), resource="tickets", mapping=call)

    assert (page.records, page.has_short_integers) == ([{"id": id}], is_short)


def test_a_request_carries_the_credentials_the_agent_and_the_query(client: Client, upstream: Upstream) -> None:
    config = client.config(
        headers={"X-Version": "7"},
        query={"version": "2", "kind": "a"},
        authorization={"format": "bearer", "config": {"token": "{{context.token}}"}},
    )

    client.fetch(config, context={"token": "s3cret"}, query={"kind": "b", "ids": [1, 2], "all": True, "none": None})

    request = upstream.received[0]
    assert request.path == "/things"
    assert request.query == [("version", "2"), ("kind", "b"), ("ids", "1"), ("ids", "2"), ("all", "true")]
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["x-version"] == "7"
    assert re.fullmatch(r"ferryman/([\d.]+|dev)", request.headers["user-agent"])


def test_an_id_is_one_segment_whatever_it_holds(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({"id": 1})

    client.fetch(method="get", id="a/b?c#d é%")

    assert upstream.received[0].target == "/things/a%2Fb%3Fc%23d%20%C3%A9%25"


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_refused(client: Client, upstream: Upstream, id: str) -> None:
    assert failure(client, method="get", id=id).code == "request"
    assert upstream.received == []


def test_a_missing_placeholder_is_told_by_its_path(client: Client, upstream: Upstream) -> None:
    with pytest.raises(PlaceholderError) as caught:
        client.fetch(method="get")

    assert "id" in caught.value.path
    assert upstream.received == []


def test_a_create_sends_json_and_gives_the_object(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({"id": 9}, status=201)

    page = client.fetch(method="create", body={"name": "é", "big": 2**70})

    assert page.records == [{"id": 9}]
    assert upstream.received[0].method == "POST"
    assert upstream.received[0].headers["content-type"] == "application/json"
    assert json.loads(upstream.received[0].body) == {"name": "é", "big": 2**70}


@pytest.mark.parametrize("method", ["delete", "update"])
def test_a_write_may_be_answered_with_nothing(client: Client, upstream: Upstream, method: str) -> None:
    upstream.answer = lambda _: b"HTTP/1.1 204 No Content\r\n\r\n"

    assert client.fetch(method=method, id="1").records == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(raw=b""), "empty_body"),
        (reply(raw=b" \n"), "empty_body"),
        (reply(raw=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}), "not_json"),
        (reply(raw=b'{"data": [1'), "not_json"),
        (reply(raw=b"\xff\xfe\xfa"), "not_json"),
        (reply({"items": [{"id": 1}]}), "no_records"),
        (reply({"data": "x"}), "no_records"),
        (reply({"data": {"id": 1}}), "no_records"),
        (reply({"error": "no"}, status=401), "http_401"),
        (reply({"error": "no"}, status=403), "http_403"),
        (reply({"error": "no"}, status=404), "http_404"),
        (reply({"error": "no"}, status=500), "http_500"),
        (reply(raw=b"", status=304), "http_304"),
        (reply(raw=b'{"data": "%s"}' % (b"x" * 1_000_000)), "too_large"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not_http"),
    ],
)
def test_an_answer_that_is_no_page_is_an_error_with_a_code(
    client: Client, upstream: Upstream, answer: bytes, code: str
) -> None:
    upstream.answer = lambda _: answer

    assert failure(client, client.config(**TICKETS), resource="tickets").code == code


@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        ("Set-Cookie: a=b\r\n" * 300, True),
        ("Set-Cookie: a=b\r\n" * 1100, False),
        (f"X-Long: {'x' * 70_000}\r\n", False),
    ],
    ids=["300", "1100", "long"],
)
def test_many_headers_are_read_up_to_limits_that_the_error_names(
    client: Client, upstream: Upstream, headers: str, is_read: bool
) -> None:
    upstream.answer = lambda _: f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{headers}\r\n[]".encode()

    if is_read:
        assert client.fetch().records == []
    else:
        assert "more headers than are read: at most 1000, of 65536 bytes each" in failure(client).message


def test_a_custom_method_may_be_answered_with_nothing(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"", status=202)
    config = client.config(resources={"things": {"touch": {"path": "/touch", "method": "post"}}})

    assert client.fetch(config, method="touch").records == []


def test_a_status_that_no_standard_knows_is_told(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=499)

    assert failure(client).code == "http_499"


def test_an_empty_204_is_an_empty_list(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: b"HTTP/1.1 204 No Content\r\n\r\n"

    assert client.fetch().records == []


@pytest.mark.parametrize(("headers", "is_empty"), [({"If-Modified-Since": "2026-01-01T00:00:00Z"}, True), ({}, False)])
def test_a_304_is_an_empty_list_for_who_asked_what_has_changed(
    client: Client, upstream: Upstream, headers: dict[str, str], is_empty: bool
) -> None:
    upstream.answer = lambda _: b"HTTP/1.1 304 Not Modified\r\n\r\n"
    config = client.config(headers=headers)

    if is_empty:
        assert client.fetch(config).records == []
    else:
        assert failure(client, config).code == "http_304"


def test_a_list_that_is_an_object_asks_for_response_path(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({"data": [], "total": 0})

    error = failure(client)

    assert error.code == "no_records"
    assert "response_path" in error.message
    assert "data" in error.message


def test_an_error_shows_the_answer_but_no_secret(client: Client, upstream: Upstream) -> None:
    config = client.config(
        authorization={"format": "basic", "config": {"username": "{{user}}", "password": "{{pass}}"}}
    )
    upstream.answer = lambda got: reply(
        raw=b"x" * 100 + got.headers["authorization"].encode() + b"tip/top" * 100, status=401
    )

    error = failure(client, config, context={"user": "anna-lena", "pass": "tip/top"})

    assert error.status == 401
    assert error.excerpt is not None
    assert error.excerpt.startswith("x" * 100 + "Basic ***")
    assert "tip" not in error.excerpt
    assert len(error.excerpt) <= 500


def test_a_secret_in_the_path_is_not_shown(client: Client, upstream: Upstream) -> None:
    config = client.config(resources={"things": {"list": {"path": "/bot{{token}}/things"}}})
    upstream.answer = lambda _: reply([], status=404)

    error = failure(client, config, context={"token": "12345:abc"})

    assert "12345" not in error.message
    assert "/bot***/things" in error.message


def test_a_rate_limit_that_asks_to_wait_long_is_not_waited_for(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=429, headers={"Retry-After": "120"})

    with pytest.raises(RateLimitedError) as caught:
        client.fetch()

    assert caught.value.retry_after_seconds == 120
    assert len(upstream.received) == 1


def test_a_context_never_overrides_what_the_call_says(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({})

    client.fetch(method="get", id="7", context={"id": "8"})

    assert upstream.received[0].path == "/things/7"


def test_query_values_that_the_path_uses_are_not_sent_twice(client: Client, upstream: Upstream) -> None:
    config = client.config(resources={"things": {"list": {"path": "/a/{{query.parent}}/things?x=1"}}})

    client.fetch(config, query={"parent": "octo/cat", "y": 2})

    assert upstream.received[0].target == "/a/octo/cat/things?x=1&y=2"
