"""A request is whole exactly when gunicorn's parser can read all of it."""

import io
import os
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from app.serving.request_reading import LARGEST_HEAD, Progress, RequestReading

EXAMPLES = int(os.environ.get("FUZZ_REQUESTS", "300"))
LARGEST_BODY = 1000

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n"
TRAILED = CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n"


def reading() -> RequestReading:
    return RequestReading(LARGEST_BODY, bytearray())


def fed(data: bytes, size: int = 1) -> Progress:
    one, progress = reading(), Progress.NOTHING
    for start in range(0, len(data), size):
        progress = one.feed(data[start : start + size])
    return progress


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKS, TRAILED], ids=["get", "post", "chunks", "trailers"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_request_is_whole_with_its_last_byte(request_bytes: bytes, size: int) -> None:
    assert fed(request_bytes, size) is Progress.WHOLE
    assert fed(request_bytes[:-1], size) in (Progress.HEAD, Progress.BODY)


@pytest.mark.parametrize(
    ("data", "progress"),
    [
        (b"", Progress.NOTHING),
        (b"G", Progress.HEAD),
        (b"\r\n\r\n" + GET, Progress.WHOLE),
        (POST.replace(b": 5", b": 1001"), Progress.CUT),
        (POST.replace(b": 5", b":5"), Progress.WHOLE),
        (POST.replace(b"Content-Length", b"content-length")[:-1], Progress.BODY),
        (POST.replace(b": 5", b": five"), Progress.WHOLE),
        (CHUNKED + b"x\r\n", Progress.WHOLE),
        (CHUNKED.replace(b"chunked", b"identity"), Progress.WHOLE),
        (CHUNKED.replace(b"chunked", b"gzip"), Progress.WHOLE),
        (CHUNKED.replace(b"chunked", b"gzip, Chunked"), Progress.BODY),
        (CHUNKED + b"1" * 9000, Progress.CUT),
        (CHUNKED + b"fff\r\n" + b"a" * 1001, Progress.CUT),
        (CHUNKED + b"0\r\nX", Progress.BODY),
        (b"G" * (LARGEST_HEAD + 1), Progress.WHOLE),
    ],
)
def test_progress(data: bytes, progress: Progress) -> None:
    one = reading()

    assert (one.feed(data) if data else one.progress()) is progress


def test_client_that_waits_to_be_told_is_noticed_and_gunicorn_tells_it_nothing() -> None:
    one = reading()

    progress = one.feed(POST[:-5].replace(b"\r\nContent", b"\r\nExpect: 100-continue\r\nContent"))

    assert (progress, one.expects_continue) == (Progress.BODY, True)
    assert one.buffer == POST[:-5]


def test_trailers_without_an_end_are_too_many() -> None:
    one = RequestReading(10 * LARGEST_HEAD, bytearray())

    assert one.feed(CHUNKED + b"0\r\n" + b"X: y\r\n" * LARGEST_HEAD) is Progress.WHOLE


class Exhausted(Exception):
    """The parser asked for bytes that have not come in."""


class _Bytes(io.RawIOBase):
    """A socket that holds some bytes, and tells when more are asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, size: int) -> bytes:
        if not self._data:
            raise Exhausted
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def parses(data: bytes) -> bool:
    """Whether gunicorn can read a request and its body, or say what is wrong, without another byte."""
    parser: Any = RequestParser(Config(), _Bytes(data), ("127.0.0.1", 1))
    try:
        request = next(parser)
        if request is not None:
            while request.body.read(1024):
                pass
    except Exhausted:
        return False
    except NoMoreData:
        return False
    except Exception:
        return True
    return True


pieces = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r", b" ", b"X: y\r\n"),
        *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"content-length:3\r\n", b"Content-Length: -1\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Expect: 100-continue\r\n"),
        *(
            b"5\r\nhello\r\n",
            b"0\r\n",
            b"3;x=y\r\nabc\r\n",
            b"ffffffff\r\n",
            b"hello",
            b"g\r\n",
            b"5 \r\n",
            b"\xff\x00",
        ),
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join), st.integers(1, 50))
def test_a_thread_gets_no_request_of_which_it_would_wait_for_the_rest(data: bytes, size: int) -> None:
    one = reading()
    for start in range(0, len(data), size):
        # Whatever comes after the end of a request is the next one's.
        if one.feed(data[start : start + size]) is Progress.WHOLE:
            assert parses(bytes(one.buffer)), bytes(one.buffer)
            return
