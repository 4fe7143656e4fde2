"""An account that is put to rest is asked for nothing until it is woken; its status is filtered by what it is."""

import pytest

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog
from tests.support.upstream import Upstream, reply


@pytest.fixture
def path(catalog: Catalog) -> str:
    return f"/integrated-account/{catalog.account['id']}"


def test_account_is_put_to_rest_and_woken(api: Caller, catalog: Catalog, path: str) -> None:
    assert catalog.account["status"] == "active"

    rested = api.patch(path, {"status": "inactive"})
    changed = api.patch(path, {"context": {"api_key": "k"}, "tenant_id": "other"})
    woken = api.patch(path, {**api.get(path).body, "status": "active"})

    assert [one.body["status"] for one in (rested, changed, woken)] == ["inactive", "inactive", "active"]
    assert api.patch(path, {"status": "needs_reauth"}).paths == ["status"]
    assert api.patch(path, woken.body).status == 200


def test_account_may_be_made_at_rest(api: Caller, catalog: Catalog) -> None:
    body = {"integration_name": "acme", "tenant_id": "t"}

    assert api.post("/integrated-account", {**body, "status": "inactive"}).body["status"] == "inactive"
    assert api.post("/integrated-account", {**body, "status": "needs_reauth"}).paths == ["status"]


def test_nothing_is_asked_of_an_account_at_rest(api: Caller, catalog: Catalog, path: str, upstream: Upstream) -> None:
    api.patch(f"/integration/{catalog.integration['id']}", {"config": {"base_url": upstream.url}})
    upstream.answers("/people/1", reply({"id": 1}))
    run = api.post("/sync-job-run", catalog.run_body)
    trigger: JsonObject = {**catalog.run_body, "cron_expression": "0 3 * * *"}
    token = api.post("/integrated-account/token", {"integrated_account_id": catalog.account["id"]}).body
    own = {"Authorization": f"Bearer {token['integrated_account_token']}"}
    assert (run.status, api.patch(path, {"status": "inactive"}).status) == (201, 200)

    refused = [
        api.post("/sync-job-run", catalog.run_body),
        api.post("/sync-job-cron-trigger", trigger),
        api.get("/proxy/people/1", integrated_account_id=catalog.account["id"]),
        api.get("/custom/people/1", integrated_account_id=catalog.account["id"]),
        api.call("GET", "/proxy/people/1", headers=own),
        api.post("/integrated-account/refresh-credentials", {"id": catalog.account["id"]}),
    ]

    assert [(answer.status, "is inactive" in answer.body["message"]) for answer in refused] == [(400, True)] * 6
    assert upstream.requests == []
    assert api.get(path + "/capabilities").body["account"]["is_blocked"] is True
    api.patch(path, {"status": "active"})
    assert api.post("/sync-job-run", catalog.run_body).status == 201


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=inactive", ["resting"]),
        ("status=active", ["working", "t1"]),
        ("status[in]=active,inactive&sort=created_at", ["t1", "resting", "working"]),
        ("status=connecting", []),
        ("features.super_query=apac", []),
        ("features[super_query]=apac", []),
        ("features.super_query[in]=apac,wnam", []),
        ("features.other=x", []),
        ("features.super_query=", ["working", "resting", "t1"]),
        ("is_sandbox=true", []),
        ("is_sandbox=false&status=inactive", ["resting"]),
        ("is_sandbox[in]=true,false&limit=1&status=inactive", ["resting"]),
    ],
)
def test_accounts_are_narrowed_by_what_they_are(api: Caller, catalog: Catalog, query: str, names: list[str]) -> None:
    for tenant, status in (("resting", "inactive"), ("working", "active")):
        api.post("/integrated-account", {"integration_name": "acme", "tenant_id": tenant, "status": status})

    answer = api.call("GET", f"/integrated-account?{query}")

    assert (answer.status, answer.body["next_cursor"]) == (200, None)
    assert [one["tenant_id"] for one in answer.body["result"]] == names
