from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.errors import SourceError
from app.sources import responses
from app.sources.exchange import HttpRequest, HttpResponse

REQUEST = HttpRequest(
    method="GET", url="http://x/", headers={}, timeout_seconds=1, is_repeatable=True, secrets=frozenset({"s3cret"})
)


def answer(body: bytes, content_type: str = "application/json", status: int = 200) -> HttpResponse:
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": content_type}))
    return HttpResponse(status=status, headers=headers, body=body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"\xef\xbb\xbf[1]", [1]),
        ("[\u00e9]".replace("\u00e9", '"\u00e9"').encode("utf-16"), ["\u00e9"]),
        ('["\U0001f600"]'.encode("utf-32"), ["\U0001f600"]),
        (b"[18446744073709551615]", [18446744073709551615]),
        (b"[18446744073709551616]", [18446744073709551616]),
        (b'{"n":-9999999999999999999}', {"n": -9999999999999999999}),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'["12345678901234567890123"]', ["12345678901234567890123"]),
        (b"[0.12345678901234567890123]", [0.12345678901234568]),
        (b"[NaN, Infinity, -Infinity, 1e400, 1.5]", [None, None, None, None, 1.5]),
        (rb'["\ud83d\ude00", "\ud83d", "\ude00x"]', ["\U0001f600", "\ufffd", "\ufffdx"]),
        (rb'{"a\u0000b": "\u0000"}', {"a\ufffdb": "\ufffd"}),
        (rb'["\\u0000", "\\\u0000"]', ["\\u0000", "\\\ufffd"]),
        (b'["a\nb\tc\x00d"]', ["a\nb\tc\ufffdd"]),
        (b"null", None),
    ],
)
def test_a_body_is_read_exactly_and_storably(body: bytes, value: Any) -> None:
    assert responses.decode(REQUEST, answer(body)) == value


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "latin1; profile=x"])
def test_the_charset_of_the_content_type_is_honoured(charset: str) -> None:
    assert responses.decode(REQUEST, answer(b'["\xe9"]', f"application/json; charset={charset}")) == ["\u00e9"]


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"<!doctype html><p>Sign in", "text/html", "HTML"),
        (b'["\xe9"]', "application/json", "utf-8"),
        (b"[1]", "application/json; charset=klingon", "charset"),
        (b"[1]", "application/json; charset=hex", "charset"),
        (b"[" * 100_000, "application/json", "nested"),
        (b"[" * 1025 + b"]" * 1025, "application/json", "nested"),
        (b"[" * 1025 + b"18446744073709551616" + b"]" * 1025, "application/json", "nested"),
        (b"[1,]", "application/json", "parse"),
        (b"[" + b"9" * 5000 + b"]", "application/json", "parse"),
        (b"OK", "text/plain", "parse"),
    ],
)
def test_what_is_not_json_is_told_why(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        responses.decode(REQUEST, answer(body, content_type))

    assert caught.value.code == "not_json"
    assert words in caught.value.message


def test_an_excerpt_is_short_and_holds_no_secret() -> None:
    with pytest.raises(SourceError) as caught:
        responses.decode(REQUEST, answer(b"x" * 496 + b"s3cret" * 10))

    assert caught.value.excerpt == "x" * 496 + "***" + "*"


@pytest.mark.parametrize(
    ("document", "method", "path", "expected"),
    [
        ([1], "list", None, [1]),
        ({"a": {"b": [1]}}, "list", ("a", "b"), [1]),
        ({"id": 1}, "get", None, [{"id": 1}]),
        ({"data": {"id": 1}}, "get", ("data",), [{"id": 1}]),
        ([1, 2], "search", None, [1, 2]),
        (None, "create", None, []),
    ],
)
def test_records_are_found(document: Any, method: str, path: tuple[str, ...] | None, expected: list[Any]) -> None:
    assert responses.records(document, method=method, response_path=path) == expected


@pytest.mark.parametrize(
    ("document", "method", "path", "words"),
    [
        ({"a": 1}, "list", ("data",), "'data', found nothing"),
        ({"data": None}, "list", ("data",), "'data', found null"),
        ({"data": "x"}, "list", ("data",), "'data', found a text"),
        ({"data": True}, "list", ("data",), "'data', found a boolean"),
        ({"data": 1}, "list", ("data",), "'data', found a number"),
        ({"rows": [], "total": 0}, "list", None, "set response_path to where the array is (it has arrays at: rows)"),
        (None, "get", None, "found null"),
    ],
)
def test_missing_records_are_told_by_path_and_find(
    document: Any, method: str, path: tuple[str, ...] | None, words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        responses.records(document, method=method, response_path=path)

    assert caught.value.code == "no_records"
    assert words in caught.value.message
