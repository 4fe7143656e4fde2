"""What an author has written is sent as it is; what is a value is encoded once."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from app.engine.integrations.config import parse_config
from app.engine.integrations.request_formats import ArrayFormat
from app.engine.json_types import JSON
from app.engine.record_errors import PlaceholderError, SourceError
from app.services.ports import PageCall
from app.sources import requests
from app.sources.exchange.exchange import HttpRequest
from app.sources.pagination.values import PageAsk
from app.sources.request_parts import bodies
from app.sources.requests import RequestDraft

BASE = "https://api.test"
TEXTS = {
    "slash": "a/b",
    "percent": "50%",
    "encoded": "a%2Fb",
    "plus": "a+b c",
    "marks": "a;b,c:d@e!",
    "tail": "a?b&c=d#e",
}


def drafted(method: Mapping[str, Any], *, base: Mapping[str, Any] | None = None, **call: Any) -> RequestDraft:
    raw = {"base_url": BASE, **(base or {}), "resources": {"r": {"list": {"path": "/r", **method}}}}
    integration, failures = parse_config(raw)
    assert not failures
    assert integration is not None
    defaults: dict[str, Any] = {"account_id": "a", "context": {}, "resource": "r", "method": "list"}
    page_call = PageCall(config=integration, **{**defaults, **call})
    return requests.draft(page_call, integration.find_method("r", page_call.method))


def finished(draft: RequestDraft, **ask: Any) -> HttpRequest:
    return requests.finish(draft, PageAsk(**ask), timeout_seconds=1)


def sent(path: str, **call: Any) -> str:
    return finished(drafted({"path": path}, **call)).url.removeprefix(BASE)


# --- the path --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/a%2Fb", "/a%2Fb"),
        ("/a b/\u00e9", "/a%20b/%C3%A9"),
        ("/100%/x", "/100%25/x"),
        ("/a(b='c')/d;e=f,g:h@i", "/a(b='c')/d;e=f,g:h@i"),
        ("/r?filter=a:b,c/d&x=%2F+y", "/r?filter=a:b,c/d&x=%2F+y"),
        ("/r?$filter=a eq 'b'&q=100%", "/r?$filter=a%20eq%20'b'&q=100%25"),
        ("/r?expand[]=a&expand[]=b", "/r?expand[]=a&expand[]=b"),
        ("/r?a=1&b=2&a=3&&a", "/r?a=1&b=2&a=3&a"),
        ("/r?flag", "/r?flag"),
        ("/r?flag=&x==&=y", "/r?flag=&x==&=y"),
        ("/r?", "/r"),
        ("/r?a=b?c", "/r?a=b?c"),
    ],
)
def test_a_path_is_sent_as_it_is_written(path: str, url: str) -> None:
    assert sent(path) == url


@pytest.mark.parametrize(
    ("path", "values", "url"),
    [
        ("/r/{{id}}", {"id": "a/b"}, "/r/a%2Fb"),
        ("/r/{{id}}", {"id": "a%2Fb"}, "/r/a%252Fb"),
        ("/r/{{id}}", {"id": "50%"}, "/r/50%25"),
        ("/r/{{id}}", {"id": "..x/y?y#z"}, "/r/..x%2Fy%3Fy%23z"),
        ("/r/{{id:encoded}}", {"id": "a%2Fb"}, "/r/a%2Fb"),
        ("/r/{{id}}", {"id": "..."}, "/r/..."),
        ("/repos/{{query.owner}}/{{query.repo}}", {"owner": "a", "repo": "b"}, "/repos/a/b"),
        ("/repos/{{query.owner}}/{{query.repo}}", {"owner": "a/b", "repo": "c/d"}, "/repos/a/b/c/d"),
        ("/{{query.owner:segment}}/{{query.repo:segment}}", {"owner": "a/b", "repo": "c/d"}, "/a%2Fb/c%2Fd"),
        ("/repos/{{query.owner}}/{{query.repo}}", {"owner": "a%2Fb", "repo": "c%"}, "/repos/a%252Fb/c%25"),
        ("/{{query.owner:encoded}}/{{query.repo:segment}}", {"owner": "a%2Fb", "repo": "c%2F"}, "/a%2Fb/c%252F"),
        ("/repos/{{query.full}}/issues/{{id}}", {"full": "a/b", "id": "c/d"}, "/repos/a/b/issues/c%2Fd"),
        ("/r/{{query.ids:any}}", {"ids": ["a/b", "c,d", 3, None]}, "/r/a/b,c%2Cd,3,"),
        ("/r/{{query.flag:any}}/{{query.n:any}}", {"flag": True, "n": 5.0}, "/r/true/5"),
        ("/r{{query.suffix}}", {"suffix": ""}, "/r"),
        ("/r/{{query.rest:undefined}}", {}, "/r/"),
        ("/r/{{query.rest?:a/b%2Fc}}", {}, "/r/a/b%2Fc"),
        ("/r?q={{query.q}}", {"q": ""}, "/r?q="),
        ("/r?q={{query.q}}", {"q": "a+b c&d=e;f%/{{x}}"}, "/r?q=a%2Bb%20c%26d%3De%3Bf%25/%7B%7Bx%7D%7D"),
        ("/r?q={{query.q}}&q={{query.p}}", {"q": "1", "p": "2"}, "/r?q=1&q=2"),
        ("/{{context.org}}/{{org}}", {"context": {"org": "50% a/b?c"}}, "/50%25%20a/b%3Fc/50%25%20a/b%3Fc"),
        ("/{{body.x}}", {"body": {"x": "a%b"}}, "/a%25b"),
    ],
)  # fmt: skip
def test_a_value_in_the_path_is_encoded_once(path: str, values: dict[str, Any], url: str) -> None:
    call = {name: values[name] for name in ("id", "context", "body") if name in values}
    query = {name: value for name, value in values.items() if name not in call}

    assert sent(path, query=query, **call) == url


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("/r/{{query.x}}", {"x": ""}, "'{{query.x}}', a segment of the path, is an empty text"),
        ("/r/{{query.x}}/y", {"x": ""}, "empty text"),
        ("/{{query.x}}?a=b", {"x": ""}, "empty text"),
        ("{{query.x}}", {"x": ""}, "empty text"),
        ("/r/{{query.x:any}}/y", {"x": []}, "empty text"),
        ("/r/{{query.x}}", {"x": "."}, "a segment of the path"),
        ("/r/{{query.x}}/y", {"x": "a/../../b"}, "a segment of the path"),
        ("/r/.{{query.x}}/y", {"x": "."}, "a segment of the path"),
        ("/r/{{query.x:encoded}}/y", {"x": "%2E%2e"}, "a segment of the path"),
        ("/r/{{context.x}}/y", {"context": {"x": None}}, "'context.x', a part of the path, is null"),
        ("/r/{{context.x}}", {"context": {"x": None}}, "'context.x', a part of the path, is null"),
    ],
)
def test_a_value_that_leads_elsewhere_is_an_error(path: str, values: dict[str, Any], message: str) -> None:
    call = {"context": values["context"]} if "context" in values else {"query": values}

    with pytest.raises(SourceError) as caught:
        sent(path, **call)

    assert caught.value.code == "request"
    assert message in caught.value.message


@pytest.mark.parametrize("value", [".", "..", "", "../x", "%2e%2e", "%252e%252e%252fx", "..;a=b", "..\\x", "a\nb"])
def test_an_id_that_leads_elsewhere_is_an_error(value: str) -> None:
    with pytest.raises(SourceError):
        sent("/r/{{id}}", id=value)


def test_an_object_is_no_segment() -> None:
    with pytest.raises(PlaceholderError):
        sent("/r/{{query.x:any}}", query={"x": {"a": 1}})


# --- the query -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "url"),
    [
        ({"path": "/r?a=1&a=2"}, "/r?a=1&a=2"),
        ({"path": "/r?a=1&a=2", "standing": {"a": "s", "b": "s"}}, "/r?a=1&a=2&b=s"),
        ({"path": "/r?a=1&a=2", "method": {"a": "m", "b": ["m", "n"]}}, "/r?a=1&a=2&b=m&b=n"),
        ({"path": "/r?a=1&a=2", "call": {"a": "c"}}, "/r?a=c"),
        ({"path": "/r?a=1&a=2&b=%2F", "call": {"a": ["c", "d"]}}, "/r?a=c&a=d&b=%2F"),
        ({"path": "/r?a=1&a=2&b=3", "call": {"a": None}}, "/r?b=3"),
        ({"path": "/r?a=1&a=2&b=3", "ask": {"a": 9, "page": 2}}, "/r?a=9&b=3&page=2"),
        ({"path": "/r?a=1&b&a=2", "ask": {"b": None}}, "/r?a=1&a=2"),
        ({"path": "/r?a=1&a=2", "method": "{'a': query.x}", "call": {"x": 7}}, "/r?a=7"),
        ({"path": "/r?a=1&a=2", "method": "{'b': query.x}", "call": {"x": 7}}, "/r?a=1&a=2&b=7"),
        ({"path": "/r?a=1&a={{query.x}}", "call": {"x": "y/z"}}, "/r?a=1&a=y/z"),
        ({"path": "/r", "at_base": "?v=1&v=%2F&w"}, "/r?v=1&v=%2F&w"),
        ({"path": "/r?a=1", "at_base": "/x/?v=1"}, "/x/r?v=1&a=1"),
        ({"path": "/r?v=2&v=3", "at_base": "?v=1&w=1"}, "/r?v=2&v=3&w=1"),
        ({"path": "/r", "at_base": "?v=1&w=1", "standing": {"v": 2}}, "/r?v=2&w=1"),
        ({"path": "/r", "at_base": "?v=1&w=1", "method": {"v": 2}}, "/r?v=2&w=1"),
        ({"path": "/r", "at_base": "?v=1&w=1", "call": {"v": 2}}, "/r?v=2&w=1"),
        ({"path": "/r", "at_base": "?v=1&w=1", "ask": {"v": 2}}, "/r?v=2&w=1"),
    ],
)
def test_a_later_layer_replaces_all_of_a_key(layers: dict[str, Any], url: str) -> None:
    base = {"base_url": BASE + layers.get("at_base", ""), "query": layers.get("standing")}
    method = {"path": layers["path"], "query": layers.get("method")}
    draft = drafted(method, base=base, query=layers.get("call", {}))

    assert finished(draft, query=layers.get("ask", {})).url.removeprefix(BASE) == url


def test_pagination_sees_what_the_path_asks_for() -> None:
    draft = drafted({"path": "/r?limit=50&expand[]=a&expand[]=b&expand[]=c"}, base={"base_url": BASE + "?v=1"})

    assert draft.query == {"v": "1", "limit": "50", "expand[]": ["a", "b", "c"]}


@pytest.mark.parametrize("value", [*TEXTS.values(), "{{x}}", "\u00e9\u540d", "a\r\nb", " "])
def test_a_value_in_the_query_is_read_back(value: str) -> None:
    url = finished(drafted({"query": {"m": "{{query.v}}"}}, query={"v": value})).url

    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == [("m", value), ("v", value)]


NESTED: dict[str, JSON] = {"a": [1, True, None, "x,y"], "o": {"p": [{"q": 1}], "e": {}}, "e": [], "n": None, "f": 5.0}


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (ArrayFormat.REPEAT, "a=1&a=true&a=x,y&o[p][q]=1&f=5"),
        (ArrayFormat.BRACKETS, "a[]=1&a[]=true&a[]=x,y&o[p][][q]=1&f=5"),
        (ArrayFormat.INDICES, "a[0]=1&a[1]=true&a[3]=x,y&o[p][0][q]=1&f=5"),
        (ArrayFormat.COMMA, "a=1,true,x,y&o[p][q]=1&f=5"),
    ],
)
def test_every_array_format_leaves_out_what_is_nothing(arrays: ArrayFormat, text: str) -> None:
    assert unquote(bodies.query_text(NESTED, arrays)) == text


# --- next links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (f"{BASE}/r?a=1&a=2&cursor=x%2F%3D%3D", f"{BASE}/r?a=1&a=2&cursor=x%2F%3D%3D&key=k%2F"),
        ("?expand[]=a&expand[]=b&key=mine", f"{BASE}/v1/r?expand[]=a&expand[]=b&key=mine"),
        ("r?page=2", f"{BASE}/v1/r?page=2&key=k%2F"),
        ("/v1/r/page/2", f"{BASE}/v1/r/page/2?key=k%2F"),
        ("//api.test/v1/r?page=2", f"{BASE}/v1/r?page=2&key=k%2F"),
        ("r?q=a b\u00e9&p=100%#top", f"{BASE}/v1/r?q=a%20b%C3%A9&p=100%25&key=k%2F"),
    ],
)
def test_a_next_link_is_followed_as_it_is_written(address: str, url: str) -> None:
    draft = drafted({"path": "/r?x=1&x=2"}, base={"base_url": f"{BASE}/v1?key=k%2F"})

    assert finished(draft, address=address, query={"limit": 9}).url == url


def test_a_next_link_is_asked_as_the_base_urls_user() -> None:
    draft = drafted({}, base={"base_url": "https://me:pw@api.test"})

    assert finished(draft, address=f"{BASE}/r?page=2").url == "https://me:pw@api.test/r?page=2"


@pytest.mark.parametrize(
    ("next_address", "kept"),
    [
        (f"{BASE}/bot-s3cret/r?page=2", "?page=2"),
        (f"{BASE}/bot-s3cret/r?page=2&key=s3cret", "?page=2"),
        ("/bot-s3cret/r/page/2", "./r/page/2"),
        (f"{BASE}/other/s3cret?page=2", f"{BASE}/other/s3cret?page=2"),
        ("https://me:s3cret@api.test/bot-s3cret/r?page=2", "?page=2"),
        ("https://s3cret.test/v1/r?page=2", "https://s3cret.test/v1/r?page=2"),
        ("?page=2", "?page=2"),
        ("opaque", "opaque"),
        ("https://[s3cret", "https://[s3cret"),
        (7, 7),
        ({"query": {"a": "s3cret"}}, {"query": {"a": "s3cret"}}),
    ],
)
def test_a_secret_of_the_path_gets_into_no_cursor(next_address: JSON, kept: JSON) -> None:
    draft = drafted({"path": "/bot-{{token}}/r?key={{token}}"}, context={"token": "s3cret"})

    assert requests.without_secrets(draft, next_address) == kept
    if isinstance(kept, str) and kept[:1] in "?.":
        assert finished(draft, address=kept).url.startswith(f"{BASE}/bot-s3cret/r")
