"""Tokens and what their roles allow; the environment that they live in."""

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.api.access import gate
from app.api.application import create_app
from app.api.resources import roles
from app.api.resources.services import ApiServices
from app.bootstrap.limits import build_request_limits
from app.engine.errors import UnauthorizedError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId, Role
from app.services.catalog.tokens import TokenService
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from tests.integration.api.calling import Caller, Catalog

FIELDS = {
    "id",
    "name",
    "role",
    "environment_id",
    "created_by",
    "expires_at",
    "last_used_at",
    "created_at",
    "updated_at",
}

# What less than an admin may change, or needs more than reading.
RUN_ROUTES = {
    *("POST /bulk-action", "POST /bulk-action/<id>/confirm", "POST /bulk-action/<id>/cancel"),
    *(f"{method} /custom/<path>" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    "DELETE /integrated-account/<id>/budget",
    "DELETE /proxy/<resource>/<id>",
    "DELETE /sync-job-run-state/<id>",
    "DELETE /sync-job-run/<id>",
    "DELETE /unified/<model>/<resource>/<id>",
    "GET /proxy/<resource>",
    "GET /proxy/<resource>/<id>",
    "GET /unified/<model>/<resource>",
    "GET /unified/<model>/<resource>/<id>",
    "PATCH /proxy/<resource>/<id>",
    "PATCH /sync-job-run-state/<id>",
    "PATCH /sync-job-run/<id>",
    "PATCH /unified/<model>/<resource>/<id>",
    "POST /proxy/<resource>",
    "POST /proxy/<resource>/<id>",
    "POST /record/restore",
    "POST /sync-job-cron-trigger/<id>/schedule",
    "POST /sync-job-run",
    "POST /sync-job-run-state",
    "POST /sync-job-run/<id>/resume",
    "POST /sync-job/validate",
    "POST /unified/<model>/<resource>",
    "POST /unified/<model>/<resource>/<id>",
    "POST /webhook/<id>/deliveries/<delivery_id>/retry",
    "POST /webhook/test",
}


def holder_of(role: Role, app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Caller:
    _, secret = services.tokens.create(environment_id, role, role=role)
    return Caller(app.test_client(), secret)


def routes_of(app: Flask) -> list[tuple[str, str, Role | None]]:
    """Every route that is not open to anybody: its method, its rule, its role."""
    return [
        (method, re.sub("<[^<>]*:", "<", rule.rule), roles.needed_by(app.view_functions[rule.endpoint]))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if not gate.OPEN_PATHS.fullmatch(rule.rule)
    ]


def test_every_route_declares_its_role(app: Flask) -> None:
    found = routes_of(app)
    needing = {role: {f"{method} {rule}" for method, rule, one in found if one is role} for role in (*Role, None)}

    assert needing[None] == set()
    assert needing[Role.RUN] == RUN_ROUTES
    assert {route for route in needing[Role.READ] if not route.startswith("GET ")} == set()
    assert len(needing[Role.ADMIN]) > 25


def test_the_document_tells_every_role(app: Flask, api: Caller) -> None:
    document = api.get("/openapi.json").body

    told = {
        (method.upper(), path): operation["x-role"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    assert set(told.values()) == set(Role)
    for method, rule, role in routes_of(app):
        path = rule.replace("<path:", "<").replace("<", "{").replace(">", "}")
        assert told.get((method, path), role) == role


@pytest.mark.parametrize("held", [Role.READ, Role.RUN])
def test_every_route_beyond_a_role_is_refused(
    held: Role, app: Flask, services: ApiServices, environment_id: EnvironmentId
) -> None:
    caller = holder_of(held, app, services, environment_id)

    for method, rule, needed in routes_of(app):
        path = rule.replace("<path:", "<")
        for name in ("id", "delivery_id", "model", "resource", "method", "path"):
            path = path.replace(f"<{name}>", new_id())
        answer = caller.call(method, path)
        if held.covers(needed or Role.ADMIN):
            assert answer.status not in (401, 403, 500), (method, path)
        else:
            assert answer.status == 403, (method, path)
            assert (
                answer.body["message"] == f"{method} {rule} needs a token of the role '{needed}': this one is '{held}'"
            )


def test_a_reader_reads_and_a_runner_runs(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, catalog: Catalog
) -> None:
    reader, runner = (holder_of(role, app, services, environment_id) for role in (Role.READ, Role.RUN))

    run = runner.post("/sync-job-run", catalog.run_body)
    dry = runner.post("/sync-job-run?dry_run=true", {})

    assert (run.status, dry.status) == (201, 400)
    assert reader.get(f"/sync-job-run/{run.body['id']}").status == 200
    assert app.test_client().head("/sync-job", headers=reader.headers).status_code == 200
    assert reader.patch(f"/sync-job-run/{run.body['id']}", {"status": "stopped"}).status == 403
    assert runner.patch(f"/sync-job-run/{run.body['id']}", {"status": "stopped"}).status == 200
    assert runner.patch(f"/sync-job/{catalog.job['id']}", {"label": "x"}).status == 403
    assert [caller.call("OPTIONS", "/nowhere").status for caller in (reader, runner)] == [404, 404]


def test_a_revoked_token_opens_nothing_in_any_process(engine: Engine, environment_id: EnvironmentId) -> None:
    here, elsewhere = TokenService(TokenStore(engine)), TokenService(TokenStore(engine))
    token, secret = here.create(environment_id, "used elsewhere")
    assert elsewhere.authenticate(secret).id == token.id

    here.revoke(environment_id, token.id)

    with pytest.raises(UnauthorizedError, match="was revoked"):
        elsewhere.authenticate(secret)


def test_a_token_that_is_revoked_while_it_is_looked_up_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, environment_id: EnvironmentId
) -> None:
    store = TokenStore(engine)
    token, secret = TokenService(store).create(environment_id, "unlucky")
    note = store._autocommit.count

    def revoke_first(statement: Any, values: Any) -> int:
        assert store.revoke(environment_id, token.id) == math.inf
        return note(statement, values)

    monkeypatch.setattr(store._autocommit, "count", revoke_first)
    with pytest.raises(UnauthorizedError, match="was revoked"):
        TokenService(store).authenticate(secret)


def test_a_token_is_made_shown_and_revoked(api: Caller, app: Flask) -> None:
    ends = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    made = api.post("/api-token", {"name": "reader", "role": "read", "expires_at": ends})
    token_id, secret = made.body["id"], made.body["token"]
    shown, listed = api.get(f"/api-token/{token_id}"), api.get("/api-token", role="read")
    caller = Caller(app.test_client(), secret)

    assert (made.status, made.headers["Location"]) == (201, f"/api-token/{token_id}")
    assert set(shown.body) == FIELDS == set(made.body) - {"token"}
    assert (shown.body["expires_at"], shown.body["role"]) == (ends, "read")
    assert [entry["id"] for entry in listed.body["result"]] == [token_id]
    assert secret not in str(shown.body) + str(listed.body)
    assert caller.get("/ping").status == 200
    assert api.delete(f"/api-token/{token_id}").body == {"id": token_id}
    assert caller.get("/ping").body["message"] == "this API token was revoked: use another one"
    assert api.get(f"/api-token/{token_id}").status == api.delete(f"/api-token/{token_id}").status == 404
    assert token_id not in str(api.get("/api-token").body)


def test_a_token_tells_who_made_it_and_can_end_itself(api: Caller, app: Flask) -> None:
    (own,) = api.get("/api-token").body["result"]
    made = api.post("/api-token", {"name": "second", "role": "admin"}).body
    second = Caller(app.test_client(), made["token"])

    assert (own["created_by"], made["created_by"]) == (None, own["id"])
    assert [entry["id"] for entry in api.get("/api-token", created_by=own["id"]).body["result"]] == [made["id"]]
    assert second.delete(f"/api-token/{made['id']}").status == 200
    assert second.get("/ping").status == 401


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"name": None}, 400, "name"),
        ({"name": ""}, 400, "name"),
        ({"role": None}, 400, "role"),
        ({"role": "root"}, 400, "role"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400, "expires_at"),
        ({"expires_at": "soon"}, 400, "expires_at"),
        ({"environment_id": "7b5c6f5e-0000-4000-8000-000000000000"}, 404, "environment_id"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_faults_of_a_new_token_are_told(api: Caller, change: JsonObject, status: int, path: str) -> None:
    answer = api.post("/api-token", {"name": "t", "role": "read", **change})

    assert (answer.status, answer.paths) == (status, [path])
    assert len(api.get("/api-token").body["result"]) == 1


def test_a_token_lives_no_longer_than_its_maker(
    app: Flask, services: ApiServices, environment_id: EnvironmentId
) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    token, secret = services.tokens.create(environment_id, "boss", ends)
    caller = Caller(app.test_client(), secret)

    later = caller.post("/api-token", {"name": "t", "role": "read", "expires_at": (ends + timedelta(1)).isoformat()})
    heir = caller.post("/api-token", {"name": "t", "role": "read"})

    assert (later.status, later.paths) == (400, ["expires_at"])
    assert services.tokens.get(environment_id, heir.body["id"]).expires_at == token.expires_at


def test_an_environment_sees_itself_alone(api: Caller, stranger: Caller, environment_id: EnvironmentId) -> None:
    listed = api.get("/environment").body["result"]
    elsewhere = stranger.get("/environment").body["result"][0]["id"]

    assert [entry["id"] for entry in listed] == [environment_id] != [elsewhere]
    assert api.get(f"/environment/{environment_id}").body == listed[0]
    assert set(listed[0]) == {"id", "name", "created_at", "updated_at"}
    assert api.get(f"/environment/{elsewhere}").status == 404
    assert api.get("/environment", name="another").body["result"] == []


def test_a_token_that_has_used_up_its_requests_is_told_when_to_come_back(
    settings: Settings, services: ApiServices, environment_id: EnvironmentId
) -> None:
    slow = replace(settings, token_requests=3, token_window_seconds=60)
    limited = replace(services, request_limits=build_request_limits(slow))
    (_, one), (_, other) = (services.tokens.create(environment_id, name) for name in ("one", "other"))
    caller, neighbour = (Caller(create_app(limited, slow).test_client(), secret) for secret in (one, other))

    answers = [caller.get("/sync-job") for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].body["message"] == "this token has used up its 3 requests per 60 s: try again in 60 s"
    assert answers[3].headers["Retry-After"] == "60"
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
    assert [answer.headers["RateLimit"] for answer in answers] == [f'"token";r={left};t=60' for left in (2, 1, 0, 0)]
    assert neighbour.get("/sync-job").status == 200
    assert caller.get("/healthz").status == 200


def test_minted_tokens_share_the_requests_of_their_environment(
    settings: Settings, services: ApiServices, environment_id: EnvironmentId
) -> None:
    slow = replace(settings, environment_requests=3, token_window_seconds=60)
    app = create_app(replace(services, request_limits=build_request_limits(slow)), slow)
    secrets = [services.tokens.create(environment_id, f"minted {number}")[1] for number in range(5)]

    answers = [Caller(app.test_client(), secret).get("/sync-job") for secret in secrets]

    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[4].body["message"] == "this environment has used up its 3 requests per 60 s: try again in 60 s"
    assert answers[4].headers["RateLimit-Policy"] == '"environment";q=3;w=60'
    assert answers[4].headers["RateLimit"] == '"environment";r=0;t=60'


def test_every_answer_is_kept_from_caches_frames_and_guesses(app: Flask, api: Caller) -> None:
    answers = [api.get(path) for path in ("/sync-job", f"/sync-job/{new_id()}", "/nowhere", "/healthz")]
    answers += [Caller(app.test_client(), "none").get("/ping"), api.post("/sync-job", {})]

    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/openapi.json"])
def test_pages_load_from_here_alone_and_in_no_frame(app: Flask, path: str) -> None:
    with app.test_client().get(path) as response:
        policy = response.headers["Content-Security-Policy"]

    assert "frame-ancestors 'none'" in policy
    assert ("default-src 'self'" in policy) == (path == "/docs")
    assert "script-src" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
