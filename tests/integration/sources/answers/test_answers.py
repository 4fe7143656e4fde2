"""Answers that are odd, broken or late: what is read of them, what is asked again, and what is an error."""

import asyncio
import gzip
import json
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import brotli
import pytest

from app.engine.record_errors import RateLimitedError, SourceError, TransientSourceError
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Received, Upstream, reply

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RECORDS = [{"id": 1, "name": "\u00e9"}, {"id": 2}]
WHOLE = json.dumps(RECORDS).encode()
PASSING = [408, 425, 429, 500, 502, 503, 504, 509, *range(520, 528), 529, 530, 598, 599]
PAGED = {"response_path": "data", "pagination": {"format": "cursor", "config": {}}}


def failure(client: Client, **call: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        client.fetch(**call)
    return caught.value


def unframed(body: bytes, **headers: str) -> bytes:
    """An answer whose end is that of its connection."""
    fields = {"Content-Type": "application/json", "Connection": "close", **headers}
    return b"HTTP/1.1 200 OK\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n" + body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(WHOLE)),
        ("x-gzip", gzip.compress(WHOLE)),
        ("deflate", zlib.compress(WHOLE)),
        ("deflate", zlib.compress(WHOLE, wbits=-15)),
        ("br", brotli.compress(WHOLE)),
        ("zstd", zstd.compress(WHOLE)),
        ("deflate, gzip", gzip.compress(zlib.compress(WHOLE))),
        ("identity", WHOLE),
        ("utf-8", WHOLE),
    ],
    ids=["gzip", "x-gzip", "zlib", "raw-deflate", "br", "zstd", "a-stack", "identity", "a-charset"],
)
def test_a_packed_answer_is_read(client: Client, upstream: Upstream, encoding: str, body: bytes) -> None:
    upstream.answer = lambda _: reply(raw=body, headers={"Content-Encoding": encoding})

    assert client.fetch().records == RECORDS
    assert upstream.received[0].headers["accept-encoding"] == "gzip, deflate, br, zstd"


def test_an_encoding_that_nobody_knows_is_named(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"\x1f\x9d\x90\x5b", headers={"Content-Encoding": "compress"})

    error = failure(client)

    assert "'compress' is no known Content-Encoding" in error.message
    assert len(upstream.received) == 1


def test_an_error_whose_body_can_not_be_unpacked_keeps_its_status(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"not gzip", status=404, headers={"Content-Encoding": "gzip"})

    assert failure(client).code == "http_404"


@pytest.mark.parametrize(
    ("body", "content_type", "records"),
    [
        ('[{"id": "é"}]'.encode("latin-1"), "application/json; charset=ISO-8859-1", [{"id": "é"}]),
        ('[{"id": "日本"}]'.encode("shift_jis"), "application/json; charset=Shift_JIS", [{"id": "日本"}]),
        ('[{"id": "é"}]'.encode(), "application/json; charset=utf8mb4", [{"id": "é"}]),
        ('[{"id": "é"}]'.encode(), "application/json; charset=klingon", [{"id": "é"}]),
        (b'{"id": 1}\n{"id": 2}\n', "application/x-ndjson", [{"id": 1}, {"id": 2}]),
        (b"", "application/x-ndjson", []),
    ],
)
def test_an_answer_is_read_in_its_charset_and_format(
    client: Client, upstream: Upstream, body: bytes, content_type: str, records: list[Any]
) -> None:
    upstream.answer = lambda _: reply(raw=body, headers={"Content-Type": content_type})

    page = client.fetch()

    assert page.records == records
    assert list(page.warnings) == []


def test_characters_that_are_lost_are_counted_with_the_page(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b'[{"id": 1, "name": "caf\xe9 \xff"}]')

    page = client.fetch()

    assert page.records == [{"id": 1, "name": "caf\ufffd \ufffd"}]
    assert [(warning.code, warning.count) for warning in page.warnings] == [("invalid_utf8", 2)]


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_an_empty_list(client: Client, upstream: Upstream, status: int) -> None:
    upstream.answer = lambda _: f"HTTP/1.1 {status} None\r\nContent-Length: 0\r\n\r\n".encode()

    assert client.fetch().records == []
    assert len(upstream.received) == 1


BROKEN = {
    "cut, its length fitting": reply(raw=WHOLE[:-9]),
    "cut, with no length": unframed(WHOLE[:-9]),
    "cut, its length told": reply(raw=WHOLE)[:-9],
    "cut gzip": reply(raw=gzip.compress(WHOLE)[:-9], headers={"Content-Encoding": "gzip"}),
    "cut gzip, with no length": unframed(gzip.compress(WHOLE)[:-9], **{"Content-Encoding": "gzip"}),
    "cut brotli": reply(raw=brotli.compress(WHOLE)[:-3], headers={"Content-Encoding": "br"}),
    "no gzip": reply(raw=WHOLE, headers={"Content-Encoding": "gzip"}),
    "empty": reply(raw=b""),
    "blank": reply(raw=b" \r\n"),
    "empty gzip": reply(raw=gzip.compress(b""), headers={"Content-Encoding": "gzip"}),
    "HTML": reply(raw=b"<!doctype html><title>One moment", headers={"Content-Type": "text/html"}),
    "HTML as JSON": reply(raw=b"<html>One moment</html>"),
    "words": reply(raw=b"upstream connect error", headers={"Content-Type": "text/plain"}),
    "cut lines": reply(raw=b'{"id": 1}\n{"id', headers={"Content-Type": "application/x-ndjson"}),
    "cut XML": reply(raw=b"<items><item><id>1</id>", headers={"Content-Type": "text/xml"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_success_that_can_not_be_read_is_asked_for_again(source: HttpSource, name: str) -> None:
    with ClosingUpstream() as upstream:
        upstream.once(BROKEN[name])

        assert Client(source, upstream.url).fetch().records == RECORDS
        assert len(upstream.received) == 2


@pytest.mark.parametrize("name", BROKEN)
def test_a_success_that_can_never_be_read_is_an_error_in_the_end(source: HttpSource, name: str) -> None:
    with ClosingUpstream() as upstream:
        upstream.always(BROKEN[name])

        error = failure(Client(source, upstream.url))

        assert error.code in ("not_json", "not_xml", "empty_body", "disconnected")
        assert len(upstream.received) == SETTINGS.request_attempts


@pytest.mark.parametrize("name", BROKEN)
def test_a_write_is_not_repeated_because_its_answer_can_not_be_read(source: HttpSource, name: str) -> None:
    with ClosingUpstream() as upstream:
        upstream.once(BROKEN[name])
        client = Client(source, upstream.url)

        try:
            assert client.fetch(method="create", body={}).records == []
        except SourceError as error:
            assert error.code in ("not_json", "not_xml", "disconnected")
        assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(raw=b"[" * 2000 + b"]" * 2000),
        reply(raw=b'["\xe9"]', headers={"Content-Type": "application/json; charset=klingon"}),
        reply({"itemz": [{"id": 1}]}),
        reply({"error": "denied"}),
        reply(raw=b"[" + b" " * SETTINGS.response_limit_bytes + b"]"),
    ],
    ids=["too deep", "charset", "mistyped path", "an error", "too large"],
)
def test_what_will_be_the_same_again_is_asked_for_once(client: Client, upstream: Upstream, answer: bytes) -> None:
    upstream.answer = lambda _: answer

    failure(client, config=client.config(response_path="items"))

    assert len(upstream.received) == 1


def test_an_answer_without_a_list_may_be_declared_as_the_end(client: Client, upstream: Upstream) -> None:
    page = {"format": "page", "config": {"stop_when": "body.error = 'past the end'"}}
    config = client.config(response_path="items", pagination=page)
    upstream.in_turn(reply({"items": [{"id": 1}]}), reply({"error": "past the end"}))

    assert client.fetch_all(config) == [{"id": 1}]


def seconds_from_now(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


WAITS: dict[str, tuple[dict[str, str], bool]] = {
    "nothing": ({}, False),
    "a short wait": ({"Retry-After": "0.05"}, False),
    "a long wait": ({"Retry-After": "6"}, True),
    "a date": ({"Retry-After": "@30"}, True),
    "a past date": ({"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, False),
    "garbage": ({"Retry-After": "soon"}, False),
    "far too long": ({"Retry-After": "99999999999"}, False),
    "a reset of a quota that is left": ({"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "3000"}, False),
}


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("told", WAITS)
@pytest.mark.parametrize("status", PASSING)
def test_a_passing_fault_is_waited_out_here_or_asleep(
    client: Client, upstream: Upstream, status: int, told: str, page: int
) -> None:
    headers, is_long = WAITS[told]
    is_long = is_long or (status == 429 and "X-RateLimit-Reset" in headers)
    headers = {name: seconds_from_now(30) if value == "@30" else value for name, value in headers.items()}
    first = reply({"data": [1], "next_cursor": "b"})
    fault = reply({}, status=status, headers=headers)
    config = client.config(**PAGED)
    upstream.in_turn(*([fault, first] if page == 1 else [first, fault, reply({"data": [2]})]))
    cursor = None if page == 1 else client.fetch(config).next_cursor

    if not is_long:
        assert client.fetch(config, cursor=cursor).records == [page]
        return
    error = failure(client, config=config, cursor=cursor)

    assert isinstance(error, RateLimitedError if status in (429, 503) else TransientSourceError)
    assert error.code == f"http_{status}"
    assert 5 <= (error.retry_after_seconds or 0) <= 3000
    assert len(upstream.received) == page


def test_a_write_that_failed_is_not_repeated_after_a_wait_either(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=500, headers={"Retry-After": "6"})

    error = failure(client, method="create", body={})

    assert not isinstance(error, TransientSourceError)
    assert error.retry_after_seconds == 6


def test_an_upstream_that_fails_with_its_quota_used_up_is_a_fault_and_no_limit(
    client: Client, upstream: Upstream
) -> None:
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 60)}
    upstream.answer = lambda _: reply({}, status=500, headers=spent)

    error = failure(client)

    assert isinstance(error, TransientSourceError)
    assert error.code == "http_500"
    assert 50 < (error.retry_after_seconds or 0) < 70


class ClosingUpstream:
    """An upstream that ends each connection behind its answer."""

    def __enter__(self) -> "ClosingUpstream":
        self._upstream = Upstream()
        self.url, self.received = self._upstream.url, self._upstream.received
        return self

    def once(self, answer: bytes) -> None:
        self._say(lambda: answer if len(self.received) == 1 else reply(raw=WHOLE))

    def always(self, answer: bytes) -> None:
        self._say(lambda: answer)

    def _say(self, answer: Any) -> None:
        async def conversation(_request: Received, writer: asyncio.StreamWriter) -> None:
            writer.write(answer())

        self._upstream.conversation = conversation

    def __exit__(self, *_: object) -> None:
        self._upstream.close()
