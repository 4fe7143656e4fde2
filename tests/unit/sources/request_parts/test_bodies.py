from email import message_from_bytes
from email.message import Message

import pytest

from app.engine.integrations.request_formats import ArrayFormat, BodyFormat, RequestFormats
from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from app.sources.reading import xml_documents
from app.sources.request_parts import bodies


def written(body: JSON, format: BodyFormat, **more: object) -> tuple[bytes, str]:
    text, content_type = bodies.written(body, RequestFormats(body=format, **more))  # type: ignore[arg-type]
    assert text is not None
    return text, content_type


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (ArrayFormat.REPEAT, "a=1&a=x%2Cy&b%5Bc%5D=true&b%5Bd%5D=2"),
        (ArrayFormat.BRACKETS, "a%5B%5D=1&a%5B%5D=x%2Cy&b%5Bc%5D=true&b%5Bd%5D%5B%5D=2"),
        (ArrayFormat.INDICES, "a%5B0%5D=1&a%5B1%5D=x%2Cy&b%5Bc%5D=true&b%5Bd%5D%5B0%5D=2"),
        (ArrayFormat.COMMA, "a=1%2Cx%2Cy&b%5Bc%5D=true&b%5Bd%5D=2"),
    ],
)
def test_a_query_writes_arrays_as_the_integration_says(arrays: ArrayFormat, text: str) -> None:
    assert bodies.query_text({"a": [1, "x,y"], "b": {"c": True, "d": [2]}, "n": None}, arrays) == text


def test_no_body_has_no_type() -> None:
    assert bodies.written(None, RequestFormats()) == (None, "")


@pytest.mark.parametrize(
    ("body", "format", "expected"),
    [
        ({"a": 1}, BodyFormat.JSON, (b'{"a":1}', "application/json")),
        ("ready", BodyFormat.JSON, (b"ready", "application/json")),
        ({"a": 2**70}, BodyFormat.JSON, (b'{"a":1180591620717411303424}', "application/json")),
        ({"a": ["x y", 2], "b": None}, BodyFormat.FORM, (b"a=x%20y&a=2", "application/x-www-form-urlencoded")),
        ("<x/>", BodyFormat.RAW, (b"<x/>", "text/plain; charset=utf-8")),
        ("<x/>", BodyFormat.XML, (b"<x/>", "application/xml")),
    ],
)
def test_a_body_is_written_in_its_format(body: JSON, format: BodyFormat, expected: tuple[bytes, str]) -> None:
    assert written(body, format) == expected


def test_a_multipart_body_is_read_by_others() -> None:
    body, content_type = written({'na"me': "é\r\nb", "tags": ["x", "y"], "deep": {"k": [1]}}, BodyFormat.MULTIPART)

    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    assert [part.get_param("name", header="Content-Disposition") for part in parts] == [
        "na%22me",
        "tags",
        "tags",
        "deep",
    ]
    assert [part.get_payload(decode=True) for part in parts] == ["é\r\nb".encode(), b"x", b"y", b'{"k":[1]}']


def test_an_xml_body_is_read_back() -> None:
    document = {"order": {"@id": "5<6", "line": [{"sku": "a&b"}, {"sku": "c"}], "note": {"#text": "hi", "@lang": "en"}}}

    assert xml_documents.parse(written(document, BodyFormat.XML)[0]) == document


def test_an_xml_body_gets_the_configured_root() -> None:
    body, _ = written({"a": 1, "b": [True, None]}, BodyFormat.XML, xml_root="ask")

    assert body == b'<?xml version="1.0" encoding="UTF-8"?><ask><a>1</a><b>true</b><b></b></ask>'


@pytest.mark.parametrize(
    ("body", "format"),
    [
        ([1], BodyFormat.FORM),
        ("text", BodyFormat.MULTIPART),
        ({"a": 1}, BodyFormat.RAW),
        ([1], BodyFormat.XML),
        ({"a><b": 1}, BodyFormat.XML),
        ({"a": {"@b c": 1}}, BodyFormat.XML),
    ],
)
def test_a_body_that_the_format_can_not_hold_is_an_error(body: JSON, format: BodyFormat) -> None:
    with pytest.raises(SourceError) as caught:
        written(body, format)

    assert caught.value.code == "request"
