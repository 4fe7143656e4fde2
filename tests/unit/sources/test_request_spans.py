"""What a span of a request to an upstream tells, and that it tells no secret."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import tracing
from app.engine.integrations.config import parse_config
from app.engine.json_types import JsonObject
from app.services.ports import PageCall
from app.sources import request_spans
from app.sources.exchange.exchange import HttpRequest
from app.tracing import Span

RUN = "3f2a9c1e-0d4b-4c6a-9b1e-5d7f8a6c2b10"
SECRET = "canary-7f3a9"
REQUEST = HttpRequest(
    method="get",
    url=f"https://user:{SECRET}@{SECRET}.acme.example:8443/users/{SECRET}?key={SECRET}",
    headers={"Authorization": f"Bearer {SECRET}"},
    timeout_seconds=1.0,
    is_repeatable=True,
    secrets=frozenset({SECRET}),
)


@pytest.fixture
def recorded() -> Iterator[list[Span]]:
    spans: list[Span] = []
    tracing.start(spans.append)
    yield spans
    tracing.stop()


def named(path: str, *, own_path: str | None = None) -> HttpRequest:
    config: JsonObject = {
        "base_url": "https://acme.example",
        "resources": {"users": {"get": {"path": path, "method": "get"}}},
    }
    parsed, faults = parse_config(config)
    assert parsed is not None, faults
    call = PageCall(account_id="a", config=parsed, context={}, resource="users", method="get", path=own_path)
    return request_spans.name_request(REQUEST, call, parsed.find_method("users", "get"))


def test_span_tells_the_template_and_the_host_and_no_secret(recorded: list[Span]) -> None:
    request = named("/users/{{query.id}}/{{id?:" + SECRET + "}}?key=" + SECRET)

    with tracing.span("slice", run_id=RUN), request_spans.open_span(request, {"ferryman.endpoint": "users.get"}) as one:
        request_spans.record_status(one, 200)

    span = recorded[0]
    assert span.name == "GET /users/{query.id}/{id}"
    assert span.attributes == {
        "http.request.method": "GET",
        "url.template": "/users/{query.id}/{id}",
        "url.scheme": "https",
        "server.address": "***.acme.example",
        "server.port": 8443,
        "ferryman.endpoint": "users.get",
        "http.response.status_code": 200,
    }
    assert SECRET not in repr(span)


def test_secret_that_a_path_holds_is_masked(recorded: list[Span]) -> None:
    assert named(f"/bot{SECRET}/users").path_template == "/bot***/users"


def test_path_of_a_call_of_its_own_is_not_told(recorded: list[Span]) -> None:
    assert named("/users", own_path=f"/users/{SECRET}").path_template == ""


def test_status_of_an_error_is_the_spans_error(recorded: list[Span]) -> None:
    with tracing.span("slice", run_id=RUN), request_spans.open_span(REQUEST, {}) as span:
        request_spans.record_status(span, 404)

    assert (recorded[0].name, recorded[0].error) == ("GET", "404")


def test_request_tells_its_upstream_which_span_it_is_of(recorded: list[Span]) -> None:
    with tracing.span("slice", run_id=RUN) as span:
        sent = request_spans.pass_on(REQUEST)
        own = request_spans.pass_on(replace(REQUEST, headers={"TraceParent": "mine"}))

    assert sent.headers == {**REQUEST.headers, "traceparent": span.traceparent}
    assert own.headers == {"TraceParent": "mine"}
    assert request_spans.pass_on(REQUEST) is REQUEST


def test_off_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named("/users").path_template == ""
    assert request_spans.open_span(REQUEST, {}) is tracing.NOTHING
