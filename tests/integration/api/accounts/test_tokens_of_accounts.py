"""Tokens of integrated accounts: what they open, and that they open nothing else."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask

from app.api.application import create_app
from app.api.resources import roles
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId, Role
from app.services.accounts.tokens import AccountTokens
from app.services.ports import Clock
from app.settings import Settings
from tests.integration.api.access.test_tokens import routes_of
from tests.integration.api.calling import Caller
from tests.support.upstream import Upstream, reply

OPEN = {
    "GET /integrated-account/me",
    "PATCH /integrated-account/me",
    *(f"{method} /custom/<path>" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    *(f"{method} /proxy/<resource>" for method in ("GET", "POST")),
    *(f"{method} /proxy/<resource>/<id>" for method in ("GET", "POST", "PATCH", "DELETE")),
    *(f"{method} /unified/<model>/<resource>" for method in ("GET", "POST")),
    *(f"{method} /unified/<model>/<resource>/<id>" for method in ("GET", "POST", "PATCH", "DELETE")),
    "GET /unified/<model>/<resource>/meta/<method>",
}


@pytest.fixture
def accounts(api: Caller, upstream: Upstream) -> list[JsonObject]:
    """Two accounts of one integration."""
    credentials = {"format": "api_key", "config": {"fields": [{"name": "api_token", "type": "password"}]}}
    config = {"base_url": upstream.url, "authorization": {"format": "bearer"}, "credentials": credentials}
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    made = [
        {"integration_name": "acme", "tenant_id": tenant, "context": {"api_token": tenant}} for tenant in ("a", "b")
    ]
    return [api.post("/integrated-account", body).body for body in made]


@pytest.fixture
def own(app: Flask, api: Caller, accounts: list[JsonObject]) -> Caller:
    """The holder of a token of the first account."""
    return Caller(app.test_client(), token_of(api, accounts[0]))


def token_of(api: Caller, account: JsonObject) -> str:
    answer = api.post("/integrated-account/token", {"integrated_account_id": account["id"]})
    assert (answer.status, set(answer.body)) == (200, {"integrated_account_token"})
    token: str = answer.body["integrated_account_token"]
    return token


def test_token_calls_its_account_without_naming_it(own: Caller, upstream: Upstream) -> None:
    upstream.answers("/people", reply([{"id": 1}]))

    answers = [own.get("/proxy/people"), own.get("/custom/people")]

    assert [answer.status for answer in answers] == [200, 200]
    assert [request.headers["authorization"] for request in upstream.requests] == ["Bearer a", "Bearer a"]


def test_other_accounts_do_not_exist_for_it(own: Caller, accounts: list[JsonObject], upstream: Upstream) -> None:
    mine, other = accounts[0]["id"], accounts[1]["id"]
    upstream.answers("/people", reply([]))

    for path in ("/proxy/people", "/custom/people", "/unified/crm/contacts", "/unified/crm/contacts/meta/list"):
        assert own.get(path, integrated_account_id=other).status == 404
        assert own.get(path, integrated_account_id="nobody").status == 404

    assert own.get("/proxy/people", integrated_account_id=mine.upper()).status == 200
    assert len(upstream.requests) == 1


def test_it_sees_its_account_and_sets_what_its_credentials_ask_for(
    own: Caller, api: Caller, accounts: list[JsonObject]
) -> None:
    shown = own.get("/integrated-account/me")
    changed = own.patch("/integrated-account/me", {"context": {"api_token": "new"}, "tenant_id": "thief"})
    refused = own.patch("/integrated-account/me", {"context": {"plan": "pro", "api_token": 5}})

    own_view = {name: value for name, value in accounts[0].items() if name != "environment_integration"}
    assert (shown.status, shown.body) == (200, own_view)
    assert (changed.status, changed.body["tenant_id"], changed.body["context"]) == (200, "a", {"api_token": "********"})
    assert (refused.status, refused.paths) == (400, ["context.plan"])
    assert own.patch("/integrated-account/me", {}).paths == ["context"]
    assert [api.get("/integrated-account/me").status, api.patch("/integrated-account/me", {}).status] == [404, 404]


def test_every_other_route_is_refused_with_the_reason(app: Flask, own: Caller) -> None:
    open_routes = {
        f"{method} {re.sub('<[^<>]*:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if roles.is_open_to_accounts(app.view_functions[rule.endpoint])
    }
    assert open_routes == OPEN
    refused = [(method, rule) for method, rule, _ in routes_of(app) if f"{method} {rule}" not in OPEN]

    for method, rule in refused:
        answer = own.call(method, re.sub("<[^<>]*>", new_id(), rule))
        assert answer.status == 403, (method, rule)
        assert answer.body["message"].startswith(f"{method} {rule} is not open to the token of an integrated account")
    assert len(refused) > 60
    assert own.get("/nowhere").status == 404


def test_document_tells_which_operations_are_open_to_it(api: Caller) -> None:
    paths = api.get("/openapi.json").body["paths"]
    told = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, one in methods.items()
        if method != "parameters" and one.get("x-account-token")
    }

    assert told == {route.replace("<", "{").replace(">", "}") for route in OPEN}


def test_it_is_listed_nowhere(api: Caller, accounts: list[JsonObject]) -> None:
    before = api.get("/api-token").body["result"]

    token_of(api, accounts[0])

    assert [token["id"] for token in api.get("/api-token").body["result"]] == [token["id"] for token in before]


def test_a_changed_or_expired_one_is_401(app: Flask, services: ApiServices, own: Caller, settings: Settings) -> None:
    secret = own.headers["Authorization"].partition(" ")[2]
    for changed in (secret[:-6] + "AAAAA=", "fria_x", "fria_" + "k.0.x", secret.replace(".", ":")):
        assert Caller(app.test_client(), changed).get("/integrated-account/me").status == 401
    tokens = services.credentials.tokens

    later = AccountTokens(tokens._accounts, tokens._seal, LaterClock(tokens._clock), tokens._note_issued)
    ahead = replace(services, credentials=replace(services.credentials, tokens=later))
    answer = Caller(create_app(ahead, settings).test_client(), secret).get("/proxy/x")

    assert (answer.status, "expired" in answer.body["message"]) == (401, True)


class LaterClock:
    """Goes a quarter of an hour ahead."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now() + timedelta(minutes=15)


def test_an_account_that_is_gone_is_404(own: Caller, api: Caller, accounts: list[JsonObject]) -> None:
    assert api.delete(f"/integrated-account/{accounts[0]['id']}").status == 200

    assert [own.get(path).status for path in ("/integrated-account/me", "/proxy/x", "/custom/x")] == [404, 404, 404]


def test_account_is_called_so_often_in_a_window_by_all_tokens_together(
    settings: Settings, api: Caller, accounts: list[JsonObject], upstream: Upstream
) -> None:
    upstream.answers("/people", reply([]))
    slow = replace(settings, calls_per_account=3, calls_window_seconds=60)
    limited = build_api_services(slow)
    app = create_app(limited, slow)
    own, holder = Caller(app.test_client(), token_of(api, accounts[0])), Caller(app.test_client(), "")
    holder.headers = api.headers
    of_first, of_second = ({"integrated_account_id": account["id"]} for account in accounts)

    answers = [own.get("/proxy/people"), own.get("/custom/people"), holder.get("/proxy/people", **of_first)]
    refused = [own.get("/proxy/people"), holder.get("/custom/people", **of_first)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.status for answer in refused] == [429, 429]
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
    assert refused[0].body["message"].startswith("this integrated account has used up its 3 requests per 60 s")
    assert holder.get("/proxy/people", **of_second).status == 200
    assert own.get("/integrated-account/me").status == 200
    limited.close()


def test_only_an_admin_makes_one(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, stranger: Caller, accounts: list[JsonObject]
) -> None:
    _, secret = services.tokens.create(environment_id, "runner", role=Role.RUN)
    body = {"integrated_account_id": accounts[0]["id"]}

    assert Caller(app.test_client(), secret).post("/integrated-account/token", body).status == 403
    assert stranger.post("/integrated-account/token", body).status == 404
    assert stranger.post("/integrated-account/token", {}).paths == ["integrated_account_id"]
