"""Answers in every charset and format, and what is wrong with them."""

import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.integrations.answer_format import AnswerFormat
from app.engine.record_errors import SourceError
from app.sources.answers import responses
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.reading.documents import Document

REQUEST = HttpRequest(
    method="GET", url="http://x/", headers={}, timeout_seconds=1, is_repeatable=True, secrets=frozenset({"s3cret"})
)


def answer(
    body: bytes, content_type: str = "application/json", status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    fields = CIMultiDictProxy(CIMultiDict({"Content-Type": content_type, **(headers or {})}))
    return HttpResponse(status=status, headers=fields, body=body)


def read(response: HttpResponse) -> Document:
    return asyncio.run(responses.decode(REQUEST, response))


def decoded(body: bytes, content_type: str = "application/json") -> Any:
    return read(answer(body, content_type)).value


def fault(body: bytes, content_type: str = "application/json", **answered: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(answer(body, content_type, **answered))
    return caught.value


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
    assert decoded(body) == value


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "latin1; profile=x"])
def test_the_charset_of_the_content_type_is_honoured(charset: str) -> None:
    assert decoded(b'["\xe9"]', f"application/json; charset={charset}") == ["\u00e9"]


@pytest.mark.parametrize("charset", ["utf8mb4", "binary", "none", "UTF8", '"utf-8"', "klingon", "hex", "idna", "rot13"])
def test_a_charset_that_says_nothing_or_is_unknown_is_utf8(charset: str) -> None:
    assert decoded('["\u00e9"]'.encode(), f"application/json; charset={charset}") == ["\u00e9"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf8mb4", "text/plain;charset=x;"]
)
@pytest.mark.parametrize("body", [b'["a\xe9b", "\xef\xbf\xbd", 1]', b'["a\xe9b", "\xef\xbf\xbd", NaN, 1]'])
def test_a_byte_that_is_no_text_loses_one_character_and_is_counted(content_type: str, body: bytes) -> None:
    document = read(answer(body, content_type.replace("charset=x", "charset=ascii")))

    assert document.value[:2] == ["a\ufffdb", "\ufffd"]
    assert document.value[-1] == 1
    assert document.replaced == 1


def test_what_can_be_read_is_not_counted() -> None:
    assert read(answer('["\ufffd\u00e9"]'.encode())).replaced == 0
    assert read(answer(b'["\xe9"]', "text/plain; charset=latin1")).replaced == 0


def test_an_unknown_charset_excuses_no_bytes_and_is_named() -> None:
    error = fault(b'["\xe9"]', "application/json; charset=klingon")

    assert (error.code, error.retryable) == ("not_json", False)
    assert "'klingon' is no known charset" in error.message


def test_an_unknown_content_encoding_is_named_where_the_body_can_not_be_read() -> None:
    error = fault(b"\x1f\x9d\x90", headers={"Content-Encoding": "compress"})

    assert (error.code, error.retryable) == ("not_json", False)
    assert "'compress' is no known Content-Encoding" in error.message
    assert read(answer(b"[1]", headers={"Content-Encoding": "utf-8"})).value == [1]


@pytest.mark.parametrize(
    ("text", "encoding", "content_type"),
    [
        ('<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>', "iso-8859-1", "text/xml"),
        ('<?xml version="1.0"?><a>\xe9</a>', "iso-8859-1", "text/xml; charset=iso-8859-1"),
        ('<?xml version="1.0" encoding="UTF-16"?><a>\xe9</a>', "utf-16", "text/xml"),
        ('<?xml version="1.0" encoding="Shift_JIS"?><a>\u30a2\xb4</a>', "shift_jis", "application/xml"),
        ('<?xml version="1.0" encoding="klingon"?><a>\xe9</a>', "utf-8", "application/xml"),
    ],
)
def test_xml_is_read_in_the_charset_that_it_declares(text: str, encoding: str, content_type: str) -> None:
    expected = text.partition("<a>")[2].removesuffix("</a>")

    assert decoded(text.encode(encoding, "ignore"), content_type)["a"] == expected.encode(encoding, "ignore").decode(
        encoding
    )


def test_bad_bytes_in_xml_lose_a_character_each_or_name_the_charset() -> None:
    document = read(answer(b"<a>x\xe9</a>", "text/xml"))
    error = fault(b'<?xml version="1.0" encoding="klingon"?><a>x\xe9</a>', "text/xml")

    assert (document.value, document.replaced) == ({"a": "x\ufffd"}, 1)
    assert (error.code, error.retryable) == ("not_xml", False)
    assert "'klingon'" in error.message


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-ndjson",
        "application/ndjson; charset=utf-8",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-seq",
        "application/X-NDJSON;q=1",
        "application/stream+json",
        "text/x-ndjson",
    ],
)
def test_lines_of_json_are_records(content_type: str) -> None:
    body = b'{"id": 1}\n\n {"id": 18446744073709551616}\r\n{"id": "\\u0000"}'

    assert decoded(body, content_type) == [{"id": 1}, {"id": 18446744073709551616}, {"id": "\ufffd"}]


def test_text_sequences_may_span_lines() -> None:
    assert decoded(b'\x1e{"id":\n 1}\n\x1e{"id": 2}\n', "application/json-seq") == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"id": 1}\n{"id": 2}\n{"id"', "line 3 of 3"),
        (b'{"id": 1}\nnull,\n{"id": 3}\n', "line 2 of 3"),
        (b'{"id": 1}{"id": 2}\n', "line 1 of 1"),
        (b"<html>", "HTML"),
    ],
)
def test_a_line_that_is_no_json_is_named_and_may_be_a_cut(body: bytes, words: str) -> None:
    error = fault(body, "application/x-ndjson")

    assert (error.code, error.retryable) == ("not_json", True)
    assert words in error.message


def test_no_line_is_no_record() -> None:
    lines = answer(b" \n", "application/x-ndjson")

    assert not responses.has_content(lines, method="list")
    assert not responses.has_content(answer(b""), method="list", answer=AnswerFormat.NDJSON)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_can_say_that_there_is_nothing(status: int) -> None:
    assert not responses.has_content(answer(b"", status=status), method="list")


@pytest.mark.parametrize(("method", "is_paged"), [("list", False), ("get", False), ("search", True)])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_a_fault_that_may_pass(method: str, is_paged: bool, body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        responses.has_content(answer(body), method=method, is_paged=is_paged)

    assert (caught.value.code, caught.value.retryable) == ("empty_body", True)
    assert not responses.has_content(answer(body), method="create")


@pytest.mark.parametrize(
    ("body", "content_type", "words", "is_passing"),
    [
        (b"<!doctype html><p>Sign in", "text/html", "HTML", True),
        (b"[" * 100_000, "application/json", "nested", False),
        (b"[" * 1025 + b"]" * 1025, "application/json", "nested", False),
        (b"[" * 1025 + b"18446744073709551616" + b"]" * 1025, "application/json", "nested", False),
        (b"[1,]", "application/json", "parse", True),
        (b'[{"id": 1}, {"id"', "application/json", "parse", True),
        (b"[" + b"9" * 5000 + b"]", "application/json", "parse", True),
        (b"OK", "text/plain", "parse", True),
    ],
)
def test_what_is_not_json_is_told_why(body: bytes, content_type: str, words: str, is_passing: bool) -> None:
    error = fault(body, content_type)

    assert (error.code, error.retryable) == ("not_json", is_passing)
    assert words in error.message


@pytest.mark.parametrize(
    ("body", "words", "is_passing"),
    [
        (b"<a><b>", "no element found", True),
        (b"<!DOCTYPE html><html><p>", "HTML", True),
        (b"<!DOCTYPE a><a/>", "document type", False),
    ],
)
def test_what_is_not_xml_is_told_why(body: bytes, words: str, is_passing: bool) -> None:
    error = fault(body, "text/xml")

    assert (error.code, error.retryable) == ("not_xml", is_passing)
    assert words in error.message


def test_an_excerpt_is_short_and_holds_no_secret() -> None:
    assert fault(b"x" * 496 + b"s3cret" * 10).excerpt == "x" * 496 + "***" + "*"
