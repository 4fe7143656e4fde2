"""Paths stay below an integration's base_url, whoever wrote them and however often they are decoded."""

import re
import time
import unicodedata
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.errors import FerrymanError, InvalidInputError
from app.engine.integrations.config import PASSED_ON, parse_config
from app.engine.record_errors import SourceError
from app.engine.templating import request_paths
from app.services.ports import PageCall
from app.sources import requests
from app.sources.pagination.values import PageAsk


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("v1/users", "v1/users"),
        ("/v1/users/", "v1/users/"),
        ("projects/a%2Fb/issues", "projects/a%2Fb/issues"),
        ("channels/%23general", "channels/%23general"),
        ("calendars/primary:clear", "calendars/primary:clear"),
        ("urn:isbn:1", "urn:isbn:1"),
        ("files/..hidden/a..b/...", "files/..hidden/a..b/..."),
        ("a;b=c/d", "a;b=c/d"),
        ("50%25/100%", "50%25/100%"),
        ("a//b", "a//b"),
        ("@evil.test/x", "@evil.test/x"),
        ("", ""),
    ],
)
def test_a_callers_path_below_it_stays_as_it_is(path: str, sent: str) -> None:
    assert request_paths.check_caller(path, "path") == sent


LEADS_UP = [
    "..",
    "../admin",
    "v1/../../admin",
    "v1/./users",
    "v1/%2e%2E/admin",
    "v1%2f..%2fadmin",
    "v1/%252e%252e/admin",
    "v1/%252e%252e%252fadmin",
    "v1/%" + "25" * 5 + "2e%2e/x",
    "v1/%" + "25" * 9 + "41/x",
    "v1/..;/admin",
    "v1/..;a=b/admin",
    "v1/..%3b/admin",
    "v1/.. /admin",
    "v1/..%20/admin",
    "v1\\..\\admin",
    "v1/..%5cadmin",
    "v1/..%255cadmin",
    "v1/%c0%ae%c0%ae/admin",
    "v1/%c0%2e%c0%2e/admin",
    "v1/%f0%80%80%ae%f0%80%80%ae/admin",
    "v1/%f8%80%80%80%ae%fc%80%80%80%80%ae/admin",
    "v1/%e0%80%ae%e0%80%ae/admin",
    "v1/%u002e%u002e/admin",
    "v1/\uff0e\uff0e/admin",
    "v1/\u2025/admin",
    "v1/%EF%BC%8E%EF%BC%8E/admin",
    "v1/\uff052e\uff052e/admin",
    "v1\uff0f..\uff0fadmin",
    "v1/..\t/admin",
    "v1/a\nb",
    "v1/a%0d%0ab",
    "v1/a%250ab",
    "v1/a%00b",
    "v1/%7f",
]
ELSEWHERE = [
    "//evil.test/x",
    "%2F%2Fevil.test/x",
    "%252F%252Fevil.test/x",
    "/\\evil.test",
    "\\\\evil.test",
    "http://evil.test/x",
    "https:/evil.test/x",
    "HTTP%3A%2F%2Fevil.test",
    "file:///etc/passwd",
    "a\\b",
    "a%5Cb",
    "a%252Fb",
    "a%253Fb=c",
    "a%2523b",
]


@pytest.mark.parametrize("path", LEADS_UP + ELSEWHERE, ids=ascii)
def test_a_callers_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        request_paths.check_caller(path, "path")

    assert [failure.path for failure in raised.value.failures] == ["path"]


@pytest.mark.parametrize("path", LEADS_UP, ids=ascii)
def test_no_path_of_a_request_leads_up(path: str) -> None:
    with pytest.raises(SourceError, match="a value"):
        request_paths.check_path(f"/base/{path}")


@pytest.mark.parametrize(
    "path", ["/a%2Fb", "/a%252Fb", "/a%253F", "/a%5Cb", "/r/..x%2Fy", "/50%25"], ids=lambda path: path
)
def test_what_an_author_has_encoded_stays(path: str) -> None:
    assert request_paths.check_path(path) == path


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "..", "%2e%2e", "a\\b", "a%252Fb", "//x"])
def test_what_is_no_name_of_a_resource_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^resource: "):
        request_paths.check_resource(name)


# --- whatever the text, and wherever it stands -----------------------------------------------------------------------

_EVIL = st.sampled_from(
    [
        "..",
        "%25",
        "%2e",
        "%2f",
        "%5c",
        "//",
        "%c0%ae",
        "%u002e",
        "evil.test",
        "{{",
        "}}",
        *"/\\.%;?#@:\t\n\0 a1-\uff0e\uff0f\uff05\u2025\u00e9",
    ]
)
_TEXTS = st.lists(_EVIL, max_size=7).map("".join) | st.text(max_size=12)
_PLACES = ("path", "resource", "id", "query", "encoded", "context", "subdomain", "port", "base", "base path")
_RESOURCES = {
    "r": {
        "get": {},
        "list": {"path": "/r/{{query.x?:1}}/{{query.y?:1:encoded}}/{{context.x?:1:segment}}"},
    }
}
_BASES = {
    "subdomain": "https://{{context.x}}.example.com/base",
    "port": "https://up.example.com:{{context.x}}/base",
    "base": "{{context.x}}",
    "base path": "https://up.example.com/base/{{context.x}}",
}


def url_of(place: str, text: str) -> str:
    """Put a text where callers and accounts may have one, and return the URL that would be sent."""
    base = _BASES.get(place, "https://up.example.com/base")
    config, faults = parse_config({"base_url": base, "resources": _RESOURCES})
    assert config is not None, faults
    call: dict[str, Any] = {"context": {"x": text} if place in (*_BASES, "context") else {}}
    resource, method = "r", "list"
    match place:
        case "path":
            config, resource, method = config.pass_on("GET"), PASSED_ON, "get"
            call["path"] = request_paths.check_caller(text, "path")
        case "resource":
            request_paths.check_resource(text)
            resource = text
        case "id":
            call["id"], method = text, "get"
        case "query":
            call["query"] = {"x": text}
        case "encoded":
            call["query"] = {"y": text}
    page_call = PageCall(account_id="a", config=config, resource=resource, method=method, **call)
    return requests.finish(
        requests.draft(page_call, config.find_method(resource, method)), PageAsk(), timeout_seconds=1
    ).url


@pytest.mark.parametrize("place", _PLACES)
@settings(max_examples=60, deadline=None)
@given(text=_TEXTS)
def test_whatever_a_text_holds_its_request_stays_below_its_base(place: str, text: str) -> None:
    try:
        url = url_of(place, text)
    except FerrymanError:
        return

    parts, seen = urlsplit(url), urlsplit(url).path
    assert (parts.scheme, "@" in parts.netloc, "#" in url) in [("https", False, False), ("http", False, False)]
    if place == "subdomain":
        assert re.fullmatch(r"[a-z0-9-]+\.example\.com", parts.hostname or "")
    elif place != "base":
        assert parts.hostname == "up.example.com"
        assert place == "port" or parts.port is None
    assert place == "base" or f"{seen}/".startswith("/base/")
    for _ in range(10):
        seen = unicodedata.normalize("NFKC", unquote(seen))
        assert {".", ".."}.isdisjoint(re.split(r"[/\\]", seen))


def test_marks_without_end_on_one_letter_take_linear_time() -> None:
    marks = "\u0315" * 100_000 + "\u0316" * 100_000
    before = time.thread_time()

    request_paths.check_path(f"/v1/a{marks}")

    assert time.thread_time() - before < 5  # A minute, when they are sorted.
