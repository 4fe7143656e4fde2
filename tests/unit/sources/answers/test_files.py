"""Which answers are files: those that call themselves so, where a record or nothing certain is asked for."""

from dataclasses import replace
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.integrations.config import parse_config
from app.services.ports import PageCall
from app.sources.answers import answers
from app.sources.answers.answers import Kind
from app.sources.exchange.exchange import HttpResponse

RESOURCES = {
    "files": {
        "get": {},
        "export": {"api_response_format": "json"},
        "search": {"pagination": {"format": "page", "config": {}}},
    }
}


def call(method: str = "get", **fields: Any) -> PageCall:
    config, faults = parse_config({"base_url": "https://up.test", "resources": RESOURCES})
    assert config is not None, faults
    plain_answers = {"account_id": "a", "context": {}, "is_handed_on": True}
    return PageCall(**{**plain_answers, "config": config, "resource": "files", "method": method, **fields})


def kind(content_type: str | None, body: bytes = b"x", *, made: PageCall | None = None, **fields: Any) -> Kind:
    made = made or call()
    headers = CIMultiDict({"Content-Type": content_type} if content_type is not None else {})
    headers.update(fields.pop("headers", {}))
    response = HttpResponse(**{"status": 200, "headers": CIMultiDictProxy(headers), "body": body, **fields})
    return answers.classify(made, made.config.find_method(made.resource, made.method), response)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("image/png", b"\x89PNG", Kind.FILE),
        ("application/pdf; charset=binary", b"{", Kind.FILE),
        ("text/csv", b"a,b", Kind.FILE),
        ("application/octet-stream", b"", Kind.EITHER),
        ("application/octet-stream", b"PK\x03", Kind.FILE),
        ("text/plain; charset=utf-8", b"kept as it is", Kind.FILE),
        ("Text/Plain", b' \n{"id": 1}', Kind.EITHER),
        (None, b"\xef\xbb\xbf[1]", Kind.EITHER),
        (None, b"x", Kind.FILE),
        ("application/json", b"x", Kind.DOCUMENT),
        ("application/vnd.api+json; charset=utf-8", b"x", Kind.DOCUMENT),
        ("text/x-json", b"x", Kind.DOCUMENT),
        ("application/xml", b"<a/>", Kind.DOCUMENT),
        ("application/x-ndjson", b"{}", Kind.DOCUMENT),
        ("text/html", b"<h1>Sign in</h1>", Kind.DOCUMENT),
    ],
)
def test_answer_is_what_its_type_says(content_type: str | None, body: bytes, expected: Kind) -> None:
    assert kind(content_type, body) is expected


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="page.html"', Kind.FILE),
        ("Attachment", Kind.FILE),
        ("inline", Kind.DOCUMENT),
        ("attachments", Kind.DOCUMENT),
    ],
)
def test_page_is_a_file_when_it_says_so(disposition: str, expected: Kind) -> None:
    assert kind("text/html", headers={"Content-Disposition": disposition}) is expected


@pytest.mark.parametrize(
    "made",
    [call("list"), call("search"), call("export"), replace(call(), is_handed_on=False)],
    ids=["list", "paged", "told otherwise", "of a run"],
)
def test_what_has_to_be_records_is_no_file(made: PageCall) -> None:
    assert kind("image/png", made=made) is Kind.DOCUMENT


def test_answer_without_content_is_no_file() -> None:
    assert kind("image/png", b"", status=204) is Kind.DOCUMENT
