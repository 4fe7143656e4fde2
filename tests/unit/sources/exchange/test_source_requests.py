from typing import Any

import pytest

from app.engine.integrations.config import IntegrationConfig, parse_config
from app.engine.record_errors import PlaceholderError, SourceError
from app.services.ports import PageCall
from app.sources import requests
from app.sources.exchange.exchange import HttpRequest
from app.sources.pagination.values import PageRequest
from app.sources.request_parts import bodies


def config(**parts: Any) -> IntegrationConfig:
    parsed, failures = parse_config({"base_url": "https://{{subdomain}}.test/api/", **parts})
    assert not failures
    assert parsed is not None
    return parsed


def build(integration: IntegrationConfig | None = None, **call: Any) -> HttpRequest:
    integration = integration or config()
    defaults: dict[str, Any] = {"account_id": "a", "context": {"subdomain": "acme"}, "resource": "r", "method": "list"}
    page_call = PageCall(config=integration, **{**defaults, **call})
    drafted = requests.draft(page_call, integration.find_method(page_call.resource, page_call.method))
    return requests.finish(drafted, PageRequest(), timeout_seconds=1)


def test_the_base_url_takes_bare_context_values() -> None:
    assert build().url == "https://acme.test/api/r"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"a": [1, 2], "b": True, "c": None, "d": 1.5}, "a=1&a=2&b=true&d=1.5"),
        ({"created": {"gte": 1, "in": [2, 3]}}, "created%5Bgte%5D=1&created%5Bin%5D=2&created%5Bin%5D=3"),
        ({"q": "a b&c=d+é"}, "q=a%20b%26c%3Dd%2B%C3%A9"),
        ({"empty": "", "none": [], "nothing": {}}, "empty="),
    ],
)
def test_a_query_is_written(query: dict[str, Any], text: str) -> None:
    assert bodies.write_query(query) == text


def test_headers_win_by_the_later_and_a_null_takes_one_away() -> None:
    integration = config(
        headers={"accept": "text/json", "X-A": 1, "X-B": True},
        resources={"r": {"list": {"path": "/r", "headers": {"User-Agent": None}}}},
    )

    assert dict(build(integration).headers) == {"accept": "text/json", "X-A": "1", "X-B": "true"}


def test_the_methods_body_replaces_the_calls() -> None:
    integration = config(resources={"r": {"create": {"path": "/r", "body": {"item": "{{body.item:json}}"}}}})

    request = build(integration, method="create", body={"item": {"id": 1}})

    assert request.body == b'{"item":{"id":1}}'


def test_a_text_body_is_sent_as_it_is() -> None:
    assert build(method="create", body="<é>").body == "<é>".encode()


@pytest.mark.parametrize(
    ("method", "is_repeatable"),
    [("list", True), ("get", True), ("create", False), ("update", False), ("delete", False)],
)
def test_only_reads_are_repeatable(method: str, is_repeatable: bool) -> None:
    assert build(method=method, id="1").is_repeatable is is_repeatable


def test_a_null_credential_is_an_error_and_not_a_word() -> None:
    with pytest.raises(SourceError):
        build(config(authorization={"format": "bearer"}), context={"subdomain": "acme", "access_token": None})


def test_a_null_in_the_path_is_told_by_its_path() -> None:
    integration = config(resources={"r": {"list": {"path": "/a/{{query.parent}}/r"}}})

    with pytest.raises(PlaceholderError):
        build(integration, query={"parent": None})


def test_a_password_in_the_base_url_is_a_secret() -> None:
    assert "hunter2" in build(config(base_url="https://me:hunter2@x.test")).secrets


def test_no_secret_shows_in_a_request() -> None:
    integration = config(query={"key": "{{key}}"}, authorization={"format": "header", "name": "k", "value": "{{key}}"})

    request = build(integration, context={"subdomain": "acme", "key": "s3cret"})

    assert "s3cret" in request.url
    assert "s3cret" not in repr(request)


def test_a_query_expression_makes_the_whole_query_out_of_the_calls() -> None:
    expression = "{'q': 'FROM ' & query.from & (query.since ? ' SINCE ' & query.since : ''), 'as': context.subdomain}"
    integration = config(query={"key": "1"}, resources={"r": {"list": {"path": "/r?v=2", "query": expression}}})

    some = build(integration, query={"from": "Contact", "since": None})
    newer = build(integration, query={"from": "Contact", "since": "2026"})

    assert some.url == "https://acme.test/api/r?key=1&v=2&q=FROM%20Contact&as=acme"
    assert build(integration, query={"from": 2**60 + 1}).url.endswith("&q=FROM%201152921504606846977&as=acme")
    assert newer.url == "https://acme.test/api/r?key=1&v=2&q=FROM%20Contact%20SINCE%202026&as=acme"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("$uppercase(query.n) & context.token", 'query can not be evaluated: Argument 1 of function "uppercase"'),
        ("'a=' & query.n", "query is expected to give an object, found a text"),
    ],
)
def test_a_query_expression_that_gives_no_query_is_an_error(expression: str, message: str) -> None:
    integration = config(resources={"r": {"list": {"path": "/r", "query": expression}}})

    with pytest.raises(SourceError, match=message) as caught:
        build(integration, query={"n": 1})

    assert caught.value.code == "expression"


def test_a_query_expression_may_give_nothing() -> None:
    integration = config(resources={"r": {"list": {"path": "/r", "query": "query.absent"}}})

    assert build(integration, query={"n": 1}).url == "https://acme.test/api/r"
