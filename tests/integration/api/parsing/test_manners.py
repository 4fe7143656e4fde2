"""What holds for every endpoint: tokens, bodies, errors, paths."""

import io
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Never

import pytest
from flask import Flask

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.errors import StoreOutdatedError
from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.settings import Settings
from tests.integration.api.calling import Caller


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer frm_wrong", "Basic eDp5", "bearer \xe9"])
def test_refuses_who_has_no_valid_token(app: Flask, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = app.test_client().get("/sync-job", headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json["statusCode"] == 401


def test_refuses_an_expired_and_a_revoked_token(
    app: Flask, services: ApiServices, environment_id: EnvironmentId
) -> None:
    tokens = services.tokens
    _, expired = tokens.create(environment_id, "expired", datetime.now(UTC) - timedelta(seconds=1))
    token, revoked = tokens.create(environment_id, "revoked", datetime.now(UTC) + timedelta(hours=1))
    tokens.revoke(environment_id, token.id)

    answers = [Caller(app.test_client(), secret).get("/ping") for secret in (expired, revoked)]

    assert [answer.status for answer in answers] == [401, 401]
    assert "this API token expired at 20" in answers[0].body["message"]
    assert answers[1].body["message"] == "this API token was revoked: use another one"


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json"])
def test_lets_anyone_see_health_and_docs(app: Flask, path: str) -> None:
    with app.test_client().get(path) as response:
        assert response.status_code in (200, 503)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xff{}", "not UTF-8"),
        (b'{"label": NaN}', "not JSON"),
        (b'{"label": "\\u0000"}', "U+0000"),
        (b'{"args_schema": {"\\u0000": 1}}', "U+0000"),
        (b'{"label": "\\ud800"}', "surrogate"),
        (b'{"resources": [{"\\ud800": "\\ud800"}]}', "surrogate"),
        (b'{"label": 1e999}', "too large"),
        (b'{"label": 9223372036854775808}', "64 bits"),
        (b'{"label": ' + b"9" * 5000 + b"}", "holds an integer of thousands of digits"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"resources":' * 70 + b"1" + b"}" * 70, "nested deeper"),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_refuses_a_body_that_can_not_be_kept(api: Caller, raw: bytes, message: str) -> None:
    answer = api.call("POST", "/sync-job", data=raw)

    assert answer.status == 400
    assert message in answer.body["message"]


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "nonsense"])
def test_reads_json_whatever_the_content_type_says(api: Caller, content_type: str) -> None:
    raw = b'\xef\xbb\xbf{"target_url": "https://example.com"}'

    answer = api.call("POST", "/webhook", data=raw, content_type=content_type)

    assert answer.status == 201


def test_takes_an_empty_body_as_an_empty_object(api: Caller) -> None:
    answer = api.call("POST", "/webhook", data=b" \n", content_type="application/json")

    assert (answer.status, answer.paths) == (400, ["target_url"])


def test_refuses_a_body_that_is_too_large(api: Caller) -> None:
    answer = api.call("POST", "/sync-job", data=b"x" * (1024 * 1024 + 1))

    assert (answer.status, answer.body["error"]) == (413, "Request Entity Too Large")


def test_answers_unknown_paths_and_methods_in_the_same_form(api: Caller) -> None:
    unknown, unoffered = api.get("/nowhere"), api.call("PUT", "/sync-job")

    assert (unknown.status, unknown.body["error"]) == (404, "Not Found")
    assert (unoffered.status, unoffered.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert unknown.body["details"] == unoffered.body["details"] == {"failures": []}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/webhook", "400 Bad Request: target_url: Missing data for required field."),
        ("GET", "/no%0D%0ASet-Cookie:%20%C3%A9", "404 Not Found: there is nothing at /no??Set-Cookie: ?"),
        ("GET", f"/{'x' * 300}", f"404 Not Found: there is nothing at /{'x' * 179}"),
        ("PUT", "/webhook", "405 Method Not Allowed: PUT is not offered here"),
    ],
)
def test_tells_what_is_wrong_in_the_line_of_the_status_too(
    api: Caller, app: Flask, method: str, path: str, told: str
) -> None:
    response = app.test_client().open(path, method=method, headers=api.headers)

    assert response.status == told
    assert response.json["message"]


@pytest.mark.parametrize("path", ["//sync-job", "/sync-job/", "///sync-job//", "/sync-job?", "/sync-job?unknown=1"])
def test_takes_every_spelling_of_a_path(api: Caller, path: str) -> None:
    assert api.call("GET", path).status == 200


@pytest.mark.parametrize("kind", ["sync-job", "sync-job-run", "integration", "integrated-account", "webhook", "daemon"])
@pytest.mark.parametrize("id", ["abc", "%00", "%F0%9F%98%80", "00000000-0000-0000-0000-000000000000", "a" * 5000])
def test_answers_404_for_an_id_of_nothing(api: Caller, kind: str, id: str) -> None:
    assert api.call("GET", f"/{kind}/{id}").status == 404


@pytest.mark.parametrize("kind", ["sync-job", "sync-job-run", "integration", "integrated-account", "webhook"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_answers_404_when_nothing_is_there_to_change(api: Caller, kind: str, method: str) -> None:
    assert api.call(method, f"/{kind}/{new_id()}", {} if method == "PATCH" else None).status == 404


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("sort=resources", "sort"),
        ("sort=%2Blabel", "sort"),
        ("next_cursor=nonsense", "next_cursor"),
        ("next_cursor=WyJhIiwiYiJd", "next_cursor"),
        ("next_cursor=%C3%A9", "next_cursor"),
        ("label=%00", "label"),
        ("created_at[gt]=yesterday", "created_at[gt]"),
        ("created_at%5Bin%5D=2026-01-01,x", "created_at[in].1"),
        ("updated_at=0001-01-01T00:00:00%2B10:00", "updated_at"),
    ],
)
def test_refuses_a_query_that_makes_no_sense(api: Caller, query: str, path: str) -> None:
    answer = api.call("GET", f"/sync-job?{query}")

    assert (answer.status, answer.paths) == (400, [path])


def test_hides_what_broke_and_logs_it_under_the_request_id(
    api: Caller, app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: JSON) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(app.extensions["ferryman"].jobs.__class__, "get", broken)

    answer = api.get(f"/sync-job/{new_id()}")

    assert (answer.status, answer.body["error"]) == (500, "Internal Server Error")
    assert "hunter2" not in str(answer.body)
    assert answer.headers["X-Request-Id"] in answer.body["message"]
    assert answer.headers["X-Request-Id"] in {getattr(record, "request_id", None) for record in caplog.records}


def test_logs_a_request_without_its_query_and_body(api: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app.api.access.gate"):
        api.post("/sync-job?api_key=s3cret", {"label": "s3cret"})

    (record,) = [record for record in caplog.records if record.name == "app.api.access.gate"]
    assert "s3cret" not in str(vars(record))
    assert (vars(record)["route"], vars(record)["status"]) == ("/sync-job", 400)


def test_documents_every_route_of_a_resource(api: Caller, app: Flask) -> None:
    document = api.get("/openapi.json").body

    resources = ["sync-job", "integration", "integrated-account", "webhook", "record", "daemon", "unified", "proxy"]
    resources += (
        "custom",
        "environment",
        "log",
        "api-token",
        "erasure",
        "tenant",
        "datastore",
        "destination",
        "notification-destination",
        "notification-rule",
        "incident",
        "schema",
        "bulk-action",
        "audit-entry",
    )
    routes = {re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert document["openapi"] == "3.1.0"
    assert {route for route in routes if route[1:].startswith(tuple(resources))} == set(document["paths"])


def test_health_tells_which_part_is_missing(app: Flask) -> None:
    response = app.test_client().get("/healthz")

    parts = {name: response.json[name] for name in ("status", "postgres", "redis")}
    assert response.status_code == 200
    assert parts == {"status": "degraded", "postgres": "ok", "redis": "unreachable"}


def test_database_that_is_away_is_503_and_when_to_try_again(settings: Settings) -> None:
    away = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    client = create_app(build_api_services(away), away).test_client()

    answers = [client.get(path, headers={"Authorization": "Bearer x"}) for path in ("/sync-job", "/healthz")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[1].json["status"] == "unhealthy"


def test_database_that_lacks_tables_is_503_and_says_what_to_do(services: ApiServices, settings: Settings) -> None:
    class Outdated:
        def authenticate(self, _secret: str) -> Never:
            raise StoreOutdatedError

    client = create_app(replace(services, tokens=Outdated()), settings).test_client()  # type: ignore[arg-type]

    answer = client.get("/sync-job", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "run 'ferryman migrate'" in answer.json["message"]


def test_what_it_does_not_know_is_let_pass_unseen(api: Caller) -> None:
    raw = b'{"target_url": "https://example.com", "x": ["\\u0000", 1e999, {"\\ud800": 99999999999999999999999}]}'

    assert api.call("POST", "/webhook", data=raw).status == 201


def test_refuses_a_body_of_unknown_length_that_is_too_large(api: Caller) -> None:
    endless = {
        "wsgi.input": io.BytesIO(b"[" * (1024 * 1024 + 1)),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }

    answer = api.call("POST", "/webhook", environ_overrides=endless)

    assert answer.status == 413


@pytest.mark.parametrize(
    "path", ["/webhook/test", "/integrated-account/refresh-credentials", "/sync-job/validate", "/record/restore"]
)
def test_an_action_is_no_id(api: Caller, path: str) -> None:
    answer = api.get(path)

    assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_a_creation_links_to_what_may_be_done_next(api: Caller) -> None:
    paths = api.get("/openapi.json").body["paths"]

    links = paths["/api-token"]["post"]["responses"]["201"]["links"]
    assert {name: link["operationRef"] for name, link in links.items()} == {
        "get": "#/paths/~1api-token~1%7Bid%7D/get",
        "delete": "#/paths/~1api-token~1%7Bid%7D/delete",
    }


def test_the_document_tells_what_counts_as_absent(api: Caller) -> None:
    document = api.get("/openapi.json").body

    patch, trigger = (document["components"]["schemas"][name]["properties"] for name in ("WebhookPatch", "NewTrigger"))
    limit = next(one for one in document["paths"]["/webhook"]["get"]["parameters"] if one["name"] == "limit")
    assert patch["is_active"]["type"] == ["boolean", "null"]
    assert trigger["error_handling"]["anyOf"][1] == {"type": "null"}
    assert limit["allowEmptyValue"] is True
