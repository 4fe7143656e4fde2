"""``/tenant``: made by hand or by accounts, known by ids of their owner's."""

import pytest
from sqlalchemy import Engine

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from tests.integration.api.calling import Caller, Catalog


@pytest.fixture
def made(api: Caller) -> JsonObject:
    answer = api.post("/tenant", {"id": "acme@corp:1", "metadata": {"tier": "gold"}})
    assert (answer.status, answer.headers["Location"]) == (201, "/tenant/acme%40corp%3A1")
    tenant: JsonObject = answer.body
    return tenant


def test_tenant_is_made_shown_changed_and_removed(api: Caller, made: JsonObject) -> None:
    path = f"/tenant/{made['id']}"

    assert made.keys() == {"id", "environment_id", "name", "metadata", "created_at", "updated_at"}
    assert (made["name"], api.get(path).body) == (made["id"], made)
    changed = api.patch(path, {"id": made["id"], "name": "Acme", "metadata": {"seats": 5}}).body
    assert (changed["name"], changed["metadata"]) == ("Acme", {"seats": 5})
    assert api.post("/tenant", {"id": made["id"]}).paths == ["id"]
    assert api.post("/tenant", {"id": "a b"}).paths == ["id"]
    assert api.patch(path, {"id": "other"}).paths == ["id"]
    assert api.delete(path).body == {"id": made["id"]}
    assert [api.get(path).status, api.delete(path).status, api.get("/tenant/a%20b").status] == [404] * 3


def test_tenant_is_changed_only_as_it_was_seen(api: Caller, made: JsonObject) -> None:
    path = f"/tenant/{made['id']}"
    tag = api.get(path).headers["ETag"]
    api.patch(path, {"name": "Acme"})

    for method in ("PATCH", "DELETE"):
        assert api.call(method, path, {"name": "x"}, headers={"If-Match": tag}).status == 412
    tag = api.get(path).headers["ETag"]
    assert api.call("DELETE", path, headers={"If-Match": tag}).status == 200
    assert api.call("DELETE", path, headers={"If-Match": tag}).status in (404, 412)


def test_many_are_made_at_once(api: Caller, made: JsonObject) -> None:
    body = {"tenants": [{"id": "b", "name": "B"}, {"id": made["id"]}, {"id": "c"}]}

    answer = api.post("/tenant/bulk", body)

    assert (answer.status, sorted(one["name"] for one in answer.body["created"])) == (200, ["B", "c"])
    assert answer.body["skipped"] == [{"id": made["id"], "reason": "already_exists"}]
    assert {one["id"] for one in api.get("/tenant").body["result"]} == {made["id"], "b", "c"}
    assert [one["id"] for one in api.get("/tenant", name="B").body["result"]] == ["b"]
    assert [one["id"] for one in api.call("GET", "/tenant?id[in]=b,c&sort=name").body["result"]] == ["b", "c"]
    assert api.post("/tenant/bulk", {"tenants": [{"id": "d"}, {"id": "/"}]}).paths == ["tenants.1.id"]
    for wrong in ({}, {"tenants": []}, {"tenants": [{"id": "x"}] * 1001}):
        assert api.post("/tenant/bulk", wrong).status == 400


def test_account_makes_its_tenant_which_stays_as_long_as_it_has_accounts(api: Caller, catalog: Catalog) -> None:
    path = f"/integrated-account/{catalog.account['id']}"

    assert api.get("/tenant/t1").body["name"] == "t1"
    refused = api.delete("/tenant/t1")
    assert (refused.status, "has accounts" in refused.body["message"]) == (400, True)
    assert api.patch(path, {"tenant_id": "t2"}).status == 200
    assert [api.delete("/tenant/t1").status, api.get("/tenant/t2").status] == [200, 200]
    assert api.patch(path, {"tenant_id": "of no / kind"}).status == 200
    api.delete("/tenant/t2")
    api.delete(path)
    assert api.get("/tenant").body["result"] == []
    api.patch(path, {})
    assert api.post("/integrated-account/restore", {"id": catalog.account["id"]}).status == 200
    assert api.get("/tenant").body["result"] == []


def test_account_that_comes_back_brings_its_tenant(api: Caller, catalog: Catalog) -> None:
    api.delete(f"/integrated-account/{catalog.account['id']}")
    assert api.delete("/tenant/t1").status == 200

    assert api.post("/integrated-account/restore", {"id": catalog.account["id"]}).status == 200

    assert api.get("/tenant/t1").status == 200


def test_tenants_of_two_environments_share_nothing_but_their_ids(
    api: Caller, stranger: Caller, made: JsonObject, engine: Engine, environment_id: EnvironmentId
) -> None:
    path = f"/tenant/{made['id']}"

    assert [stranger.get(path).status, stranger.patch(path, {"name": "x"}).status, stranger.delete(path).status] == [
        404
    ] * 3
    assert stranger.post("/tenant", {"id": made["id"], "name": "Theirs"}).status == 201
    assert (api.get(path).body, stranger.get(path).body["name"]) == (made, "Theirs")


def test_environment_is_renamed_by_its_own_token(api: Caller, stranger: Caller, environment_id: EnvironmentId) -> None:
    path, theirs = f"/environment/{environment_id}", stranger.get("/environment").body["result"][0]
    name = f"renamed-{environment_id}"

    tag = api.get(path).headers["ETag"]
    renamed = api.call("PATCH", path, {"name": name}, headers={"If-Match": tag})

    assert (renamed.status, renamed.body["name"], api.get(path).body) == (200, name, renamed.body)
    assert api.call("PATCH", path, {"name": "x"}, headers={"If-Match": tag}).status == 412
    assert api.patch(path, {"name": theirs["name"]}).paths == ["name"]
    assert api.patch(path, {"name": " "}).paths == ["name"]
    assert api.patch(path, {}).body == renamed.body
    assert api.patch(f"/environment/{theirs['id']}", {"name": "y"}).status == 404
