"""No stored cursor holds a secret of the account, however the list is paged and the secret written; nor loses one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from tests.integration.sources.raw_upstream import Client, Received, Upstream, reply

CURSOR = {"format": "cursor", "config": {"cursor_path": "next", "cursor_param": "after"}}


def dynamic(values: str) -> dict[str, Any]:
    return {"format": "dynamic", "get_pagination_values_expression": f"body.next ? {values} : null"}


def in_body(_request: Received, following: str, number: int) -> bytes:
    return reply({"data": [number], **({"next": following} if following else {})})


def link_header(_request: Received, following: str, number: int) -> bytes:
    return reply({"data": [number]}, headers={"Link": f'<{following}>; rel="next"'} if following else None)


def next_range(_request: Received, following: str, number: int) -> bytes:
    return reply({"data": [number]}, 206 if following else 200, {"Next-Range": following} if following else None)


@dataclass(frozen=True)
class Kind:
    pagination: dict[str, Any]
    following: str
    """The next position; {0} is the secret as it is written, {1} the number of the page."""
    answer: Callable[[Received, str, int], bytes]


KINDS = {
    "a link in another folder": Kind(CURSOR, "/other/{0}/things?page={1}", in_body),
    "a link's own parameter": Kind(CURSOR, "/things?session={0}&page={1}", in_body),
    "a link's fragment of a path": Kind(CURSOR, "/v2/x-{0}-y/{1}/{0}", in_body),
    "a Link header": Kind({"format": "link_header"}, "/other/{0}/things?page={1}", link_header),
    "an opaque cursor": Kind(CURSOR, "{1}.{0}", in_body),
    "dynamic values": Kind(dynamic('{"after": body.next}'), "{0}{1}", in_body),
    "a dynamic query": Kind(dynamic('{"query": {"a": {"b": [body.next]}}}'), "{0}:{1}", in_body),
    "dynamic headers": Kind(dynamic('{"headers": {"X-After": body.next}}'), "{0}:{1}", in_body),
    "a dynamic body": Kind(dynamic('{"body": {"deep": [{"after": body.next}]}}'), "{0}:{1}", in_body),
    "a dynamic address": Kind(dynamic('{"url": body.next}'), "/things/{0}?page={1}", in_body),
    "a dynamic value of the request": Kind(dynamic('{"query": {"p": body.next, "key": query.key}}'), "{1}", in_body),
    "a range": Kind({"format": "range", "range_unit": "rows", "limit": 2}, "rows={1}-; {0}", next_range),
}
SECRETS = {
    "letters": ("s3cretCanary", str),
    "signs, as it is": ("s3/cret+ca=nary", str),
    "signs, quoted": ("s3/cret+ca=nary", lambda text: quote(text, safe="")),
    "signs, in lower case": ("s3/cret+ca=nary", lambda text: quote(text, safe="").lower()),
    "signs, quoted twice": ("s3/cret+ca=nary", lambda text: quote(quote(text, safe=""), safe="")),
    "signs, as in a form": ("s3/cret ca=nary", quote_plus),
    "an address": ("https://user@example.com/canary", lambda text: quote(text, safe="")),
}


@pytest.mark.parametrize(("secret", "write"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_secret_is_in_no_stored_cursor_and_in_every_request(
    client: Client, upstream: Upstream, kind: Kind, secret: str, write: Callable[[str], str]
) -> None:
    def answer(request: Received) -> bytes:
        number = len(upstream.received)
        following = kind.following.format(write(secret), number + 1) if number < 4 else ""
        return kind.answer(request, following, number)

    upstream.answer = answer
    config = client.config(pagination=kind.pagination, response_path="data", query={"key": "{{context.pat}}"})

    pages = client.pages(config, context={"pat": secret, "list": [secret], "name": "a name"})

    stored = json.dumps([page.next_cursor for page in pages if page.next_cursor])
    assert [page.records for page in pages] == [[1], [2], [3], [4]]
    assert not any(form in stored for form in (secret, write(secret), "canary", "s3cret", "s3/cret", "s3%2"))
    for request in upstream.received[1:]:
        assert "nary" in request.target + str(request.headers) + request.body.decode()


@pytest.mark.parametrize(
    "parts",
    [
        {"authorization": {"format": "basic", "config": {"username": "me", "password": "pass-canary"}}},
        {"authorization": {"format": "bearer", "config": {"token": "pass-canary"}}},
        {"headers": {"X-Api-Key": "pass-canary"}},
        {"query": {"api_key": "pass-canary"}},
    ],
    ids=["basic", "bearer", "header", "query"],
)
def test_a_secret_of_the_integration_is_in_no_stored_cursor(
    client: Client, upstream: Upstream, parts: dict[str, Any]
) -> None:
    def answer(request: Received) -> bytes:
        told = (
            request.headers.get("authorization") or request.headers.get("x-api-key") or dict(request.query)["api_key"]
        )
        number = len(upstream.received)
        echoed = told.rpartition(" ")[2]
        return reply({"data": [number], **({"next": f"{echoed}.{number}"} if number < 3 else {})})

    upstream.answer = answer
    config = client.config(pagination=CURSOR, response_path="data", **parts)

    pages = client.pages(config)

    echoed = [dict(request.query)["after"] for request in upstream.received[1:]]
    stored = json.dumps([page.next_cursor for page in pages])
    assert [page.records for page in pages] == [[1], [2], [3]]
    assert len({text.rpartition(".")[0] for text in echoed}) == 1
    assert echoed[0].rpartition(".")[0] not in stored


def test_a_token_that_was_renewed_is_the_new_one_in_a_stored_address(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [1], "next": "/things/old-canary/2"}), reply({"data": [2]}))
    config = client.config(pagination=CURSOR, response_path="data")

    first = client.fetch(config, context={"oauth": {"token": {"access_token": "old-canary"}}})
    client.fetch(config, context={"oauth": {"token": {"access_token": "new"}}}, cursor=first.next_cursor)

    assert upstream.received[1].target == "/things/new/2"


def test_a_secret_that_is_gone_is_told_by_its_name(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [1], "next": "/things/old-canary/2"}))
    config = client.config(pagination=CURSOR, response_path="data")
    first = client.fetch(config, context={"tokens": ["old-canary"]})

    with pytest.raises(SourceError, match=r"its position holds 'context\.tokens\.0', which is not there any more"):
        client.fetch(config, context={}, cursor=first.next_cursor)


def test_an_upstream_can_not_name_a_secret(client: Client, upstream: Upstream) -> None:
    claims: JSON = {"secrets": [[["next"], 0, ["context", "client_secret"], "plain"]], "q": "__context.client_secret__"}
    upstream.in_turn(reply({"data": [1], "next": claims}), reply({"data": [2]}))
    config = client.config(pagination=dynamic("body.next"), response_path="data")

    client.pages(config, context={"client_secret": "never-canary"})

    assert "canary" not in upstream.received[1].target


def test_a_cursor_without_a_secret_is_stored_as_it_is(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({"data": [1], "next": "abc"}), reply({"data": [2]}))
    config = client.config(pagination=CURSOR, response_path="data")

    page = client.fetch(config, context={"token": "canary"})

    assert page.next_cursor is not None
    assert page.next_cursor["next"] == "abc"
    assert "secrets" not in page.next_cursor
