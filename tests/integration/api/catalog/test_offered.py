"""Tools, capabilities and unified APIs of integrations and accounts; credentials and removal of accounts."""

import pytest

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller

RESOURCES = {
    "people": {"list": {"description": "All people"}, "get": {}, "create": {"body_schema": {"type": "object"}}},
    "notes": {"pin": {"method": "post"}},
}


@pytest.fixture
def account(api: Caller) -> JsonObject:
    config = {"base_url": "https://up.test", "resources": RESOURCES, "tool_tags": {"notes": ["text"]}}
    integration = api.post("/integration", {"name": "acme", "config": config}).body
    override = {"crm": {"deals": {"list": {}}}}
    body = {"integration_name": "acme", "tenant_id": "t", "unified_model_override": override}
    made: JsonObject = api.post("/integrated-account", body).body
    _mapped(api)
    assert made["integration_id"] == integration["id"]
    return made


def _mapped(api: Caller) -> None:
    resources = {"contacts": {"description": "People"}, "deals": {}}
    model = api.post("/unified-model", {"name": "crm", "category": "sales", "resources": resources}).body
    api.post("/unified-model", {"name": "unmapped", "resources": {"x": {}}})
    place = {"resource_name": "contacts", "integration_name": "acme", "method_name": "list"}
    base = {**place, "unified_model_id": model["id"], "config": {"description": "Base"}}
    assert api.post("/unified-model-resource-method", base).status == 201
    installed = api.post("/environment-unified-model", {"unified_model_id": model["id"]}).body
    layer = {**place, "environment_unified_model_id": installed["id"], "config": {"description": "Ours"}}
    assert api.post("/environment-unified-model-resource-method", layer).status == 201


def test_tools_are_listed_and_narrowed(api: Caller, account: JsonObject) -> None:
    of_account = f"/integrated-account/{account['id']}/tools"
    of_integration = f"/integration/{account['integration_id']}/tools"

    shown = api.get(of_account)

    assert (shown.status, shown.body["next_cursor"], shown.body["limit"]) == (200, None, 4)
    assert shown.body == api.get(of_integration).body
    told = {"name", "description", "resource", "method", "query_schema", "body_schema", "required", "tags"}
    assert told == set(shown.body["result"][0])
    for query, expected in (
        ("methods=read", ["list", "get"]),
        ("methods[0]=create&methods[1]=pin", ["pin", "create"]),
        ("methods=read,write", ["list", "get", "create"]),
        ("tags[]=text", ["pin"]),
        ("tags=none", []),
        ("methods=&tags=", ["pin", "list", "get", "create"]),
    ):
        assert [one["method"] for one in api.call("GET", f"{of_account}?{query}").body["result"]] == expected, query


def test_capabilities_are_shown_and_narrowed(api: Caller, account: JsonObject) -> None:
    path = f"/integrated-account/{account['id']}/capabilities"

    def found(query: str) -> tuple[list[str], list[str]]:
        shown = api.call("GET", f"{path}?{query}").body
        proxy = [f"{one['resource']}.{method['method']}" for one in shown["proxy"] for method in one["methods"]]
        return proxy, [f"{one['resource']}.{method}" for one in shown["unified"] for method in one["methods"]]

    whole, unified = found(""), ["contacts.list", "deals.list"]
    assert whole == (["notes.pin", "people.list", "people.get", "people.create"], unified)
    assert found("type=all") == found("has_description=false") == whole
    assert found("type=unified") == ([], unified)
    assert found("type=proxy") == (whole[0], [])
    assert found("methods=list") == (["people.list"], unified)
    assert found("methods[]=custom&methods[]=get") == (["notes.pin", "people.get"], [])
    assert found("resource=notes") == (["notes.pin"], [])
    assert found("has_description=true") == (["people.list"], unified)
    assert api.get(path, type="other").paths == ["type"]


def test_capabilities_are_of_an_account_or_an_integration_by_its_id_or_name(
    api: Caller, stranger: Caller, account: JsonObject
) -> None:
    of_account = api.get(f"/integrated-account/{account['id']}/capabilities").body
    by_id, by_name = (api.get(f"/integration/{name}/capabilities") for name in (account["integration_id"], "acme"))

    assert (by_id.status, by_id.body) == (200, by_name.body)
    common = {"integration", "proxy", "unified", "auth", "ai_readiness"}
    assert (set(by_id.body), set(of_account) - common) == (common, {"account", "environment_id"})
    assert by_id.body["integration"] == of_account["integration"]
    assert of_account["integration"]["name"] == "acme"
    assert [(one["resource"], one["description"]) for one in by_id.body["unified"]] == [("contacts", "People")]
    assert [one["env_overridden"] for one in of_account["unified"]] == [True, True]
    assert of_account["account"]["id"] == account["id"]
    for path in ("capabilities", "tools", "unified-apis"):
        assert api.get(f"/integration/acme/{path}").status == 200
        assert {stranger.get(f"/integration/{name}/{path}").status for name in (account["integration_id"], "acme")} == {
            404
        }


def test_unified_apis_are_those_that_are_mapped(api: Caller, account: JsonObject) -> None:
    (of_integration,) = api.get(f"/integration/{account['integration_id']}/unified-apis").body["result"]
    (of_account,) = api.get(f"/integrated-account/{account['id']}/unified-apis").body["result"]

    assert (of_integration["name"], of_integration["category"]) == ("crm", "sales")
    assert of_integration["resources"] == {"contacts": {"methods": ["list"]}}
    assert of_account["resources"] == {"contacts": {"methods": ["list"]}, "deals": {"methods": ["list"]}}


def test_credentials_are_merged_and_tried_again(api: Caller, account: JsonObject) -> None:
    path = f"/integrated-account/{account['id']}/credentials"

    changed = api.patch(path, {"context": {"api_key": "k", "region": "eu"}, "authentication_method": "bearer"})

    assert (changed.status, changed.body["context"]) == (200, {"api_key": "********", "region": "********"})
    assert changed.body["authentication_method"] == "bearer"
    assert api.patch(path, {}).paths == ["context"]
    assert api.patch(f"/integrated-account/{new_id()}/credentials", {"context": {}}).status == 404


def test_accounts_are_removed_together_or_not_at_all(api: Caller, stranger: Caller, account: JsonObject) -> None:
    body = {"integration_name": "acme", "tenant_id": "t2"}
    ids = [account["id"], api.post("/integrated-account", body).body["id"]]
    path, unknown = "/integrated-account/bulk-delete", new_id()

    refused = api.post(path, {"ids": [*ids, unknown]})
    assert (refused.status, refused.paths) == (404, ["ids.2"])
    assert unknown in refused.body["message"]
    assert stranger.post(path, {"ids": ids}).status == 404
    assert len(api.get("/integrated-account").body["result"]) == 2
    removed = api.post(path, {"ids": [*ids, ids[0]]}).body
    assert removed == {"success": True, "ids": ids, "matched_count": 2, "deleted_count": 2}
    assert api.get("/integrated-account").body["result"] == []
    for wrong in ({}, {"ids": []}, {"ids": ["no id"]}, {"ids": [unknown] * 1001}, {"query": {}}):
        assert api.post(path, wrong).status == 400


def test_accounts_of_a_tenant_are_removed(api: Caller, stranger: Caller, account: JsonObject) -> None:
    path = "/integrated-account/bulk-delete"
    others = [
        api.post("/integrated-account", {"integration_name": "acme", "tenant_id": tenant, "status": status}).body["id"]
        for tenant, status in (("t", "inactive"), ("other", "active"))
    ]

    assert stranger.post(path, {"tenant_id": "t"}).body["matched_count"] == 0
    tried = api.post(path, {"query": {"tenant_id": "t", "integration.name": "acme"}, "dry_run": True}).body
    assert tried == {"success": True, "ids": [], "matched_count": 2, "deleted_count": 0}
    resting = api.post(path, {"query": {"tenant_id": "t", "status": {"ne": "active"}}}).body
    assert (resting["ids"], resting["deleted_count"]) == ([others[0]], 1)
    rest = api.post(path, {"tenant_id": "t"}).body
    assert (rest["ids"], rest["matched_count"], rest["deleted_count"]) == ([account["id"]], 1, 1)
    assert [one["id"] for one in api.get("/integrated-account").body["result"]] == [others[1]]


def test_post_install_actions_are_refused(api: Caller, account: JsonObject) -> None:
    path = "/integrated-account/run-post-install-actions"

    assert "are not in its config" in api.post(path, {"id": account["id"]}).body["message"]
    actions = {"actions": {"post_install": [{"type": "request"}]}}
    assert api.patch(f"/integrated-account/{account['id']}", {"integration_override": actions}).status == 200
    refused = api.post(path, {"id": account["id"]})
    assert (refused.status, "are not supported yet" in refused.body["message"]) == (400, True)
    assert api.post(path, {"id": new_id()}).status == 404
