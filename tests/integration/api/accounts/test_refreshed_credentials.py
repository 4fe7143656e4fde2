"""`POST /integrated-account/refresh-credentials`: a token is renewed because somebody asks for it."""

import pytest

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller
from tests.support.http_server import Response
from tests.support.upstream import Upstream, reply

PATH = "/integrated-account/refresh-credentials"


@pytest.fixture
def account(api: Caller, upstream: Upstream) -> JsonObject:
    oauth = {"client": {"id": "c", "secret": "s"}, "auth": {"tokenHost": upstream.url, "tokenPath": "/token"}}
    config = {"base_url": upstream.url, "credentials": {"format": "oauth2", "config": oauth}}
    assert api.post("/integration", {"name": "refreshing", "config": config}).status == 201
    token = {"access_token": "old-token", "refresh_token": "old-refresh", "expires_at": "2999-01-01T00:00:00Z"}
    fields = {"integration_name": "refreshing", "tenant_id": "t", "context": {"oauth": {"token": token}}}
    made: JsonObject = api.post("/integrated-account", fields).body
    return made


def token(**fields: str) -> Response:
    return reply({"access_token": "new-token", "expires_in": 3600, **fields})


def test_token_is_renewed_though_it_has_not_expired(api: Caller, upstream: Upstream, account: JsonObject) -> None:
    upstream.answers("/token", token())

    answer = api.post(PATH, {"id": account["id"]})

    assert (answer.status, answer.body["id"], answer.body["status"]) == (200, account["id"], "active")
    merge_token = answer.body["context"]["oauth"]["token"]
    assert merge_token["expires_at"] != account["context"]["oauth"]["token"]["expires_at"]
    assert "new-token" not in str(answer.body)
    assert b"old-refresh" in upstream.requests[0].body
    (entry,) = api.get("/audit-entry", object_id=account["id"], action="integrated_account.updated").body["result"]
    assert (entry["operation"], list(entry["after"])) == (f"POST {PATH}", ["context"])


def test_dead_refresh_token_leaves_the_account_in_need_and_a_renewal_reactivates_it(
    api: Caller, upstream: Upstream, account: JsonObject
) -> None:
    webhook = api.post("/webhook", {"target_url": f"{upstream.url}/hook"}).body
    upstream.answers_in_turn("/token", reply({"error": "invalid_grant"}, 400), token())

    refused = api.post(PATH, {"id": account["id"]})
    needy = api.get(f"/integrated-account/{account['id']}").body
    healed = api.post(PATH, {"id": account["id"]})

    assert (refused.status, needy["status"]) == (401, "needs_reauth")
    assert "connected anew" in refused.body["message"]
    assert (healed.status, healed.body["status"], healed.body["last_error"]) == (200, "active", None)
    deliveries = api.get(f"/webhook/{webhook['id']}/deliveries").body["result"]
    assert [delivery["event"] for delivery in reversed(deliveries)] == [
        "integrated_account:authentication_error",
        "integrated_account:reactivated",
    ]


def test_what_can_not_be_renewed_is_told(api: Caller, upstream: Upstream, account: JsonObject) -> None:
    without = api.post("/integrated-account", {"integration_name": "refreshing", "tenant_id": "t"}).body
    upstream.answers("/token", reply({"error": "unavailable"}, 400))

    assert api.post(PATH, {"id": without["id"]}).paths == ["id"]
    assert api.post(PATH, {}).paths == ["id"]
    assert api.post(PATH, {"id": "0190f0f0-0000-7000-8000-00000000000c"}).status == 404
    assert api.post(PATH, {"id": account["id"]}).status == 502


def test_strangers_accounts_are_not_renewed(stranger: Caller, upstream: Upstream, account: JsonObject) -> None:
    assert stranger.post(PATH, {"id": account["id"]}).status == 404
    assert upstream.requests == []
