"""What accounts, installations and installed models embed: never a secret, never anything of another environment."""

import json

import pytest

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog
from tests.support.unified import MODEL

SECRET = "canary-of-the-config"
CONFIG = {
    "label": "Acme Ltd",
    "logo": f"https://cdn.example.com/acme.png?api_key={SECRET}",
    "headers": {"X-Api-Key": SECRET},
    "authorization": {"format": "bearer"},
}


@pytest.fixture
def installed(api: Caller, catalog: Catalog) -> JsonObject:
    assert api.patch(f"/integration/{catalog.integration['id']}", {"config": CONFIG}).status == 200
    override = {"headers": {"X-Override": SECRET}, "label": "Ours"}
    body = {"integration_id": catalog.integration["id"], "override": override}
    made: JsonObject = api.post("/environment-integration", body).body
    return made


def test_account_embeds_its_integration_and_how_it_is_installed(
    api: Caller, catalog: Catalog, installed: JsonObject
) -> None:
    shown = api.get(f"/integrated-account/{catalog.account['id']}")
    (listed,) = api.get("/integrated-account").body["result"]

    assert shown.body == listed
    assert shown.body["integration"]["config"] == {"label": "Acme Ltd", "logo": "********"}
    assert shown.body["integration"]["installed_environment"] == [shown.body["environment_id"]]
    assert (shown.body["integration"]["name"], shown.body["integration"]["version"]) == ("acme", 2)
    assert shown.body["environment_integration_id"] == installed["id"]
    without = {name: value for name, value in installed.items() if name != "integration"}
    assert shown.body["environment_integration"] == without
    assert installed["override"]["headers"] == {"X-Override": "********"}
    assert SECRET not in json.dumps([shown.body, installed])


def test_account_of_an_integration_that_is_not_installed_says_so(catalog: Catalog) -> None:
    assert catalog.account["environment_integration_id"] is None
    assert catalog.account["environment_integration"] is None
    assert catalog.account["integration"]["id"] == catalog.integration["id"]


def test_holder_of_an_account_does_not_see_what_its_environment_lays_over(
    api: Caller, catalog: Catalog, installed: JsonObject
) -> None:
    body = {"integrated_account_id": catalog.account["id"]}
    token = api.post("/integrated-account/token", body).body["integrated_account_token"]

    shown = api.call("GET", "/integrated-account/me", headers={"Authorization": f"Bearer {token}"}).body

    assert (shown["environment_integration_id"], "environment_integration" in shown) == (installed["id"], False)
    assert shown["integration"]["name"] == "acme"


def test_installation_embeds_its_integration(api: Caller, catalog: Catalog, installed: JsonObject) -> None:
    (listed,) = api.get("/environment-integration").body["result"]

    assert listed == installed == api.get(f"/environment-integration/{installed['id']}").body
    assert installed["integration"]["id"] == catalog.integration["id"]
    changed = api.patch(f"/environment-integration/{installed['id']}", installed)
    assert (changed.status, changed.body["override"]) == (200, installed["override"])


def test_installed_model_embeds_its_model(api: Caller) -> None:
    model = api.post("/unified-model", MODEL).body

    made = api.post("/environment-unified-model", {"unified_model_id": model["id"]}).body

    assert made["unified_model"] == model
    assert api.get("/environment-unified-model").body["result"] == [made]
    assert api.get(f"/environment-unified-model/{made['id']}").body == made
    assert model["installed_environment"] == [model["environment_id"]]


def test_tag_of_an_account_is_that_of_all_that_it_shows(api: Caller, catalog: Catalog, installed: JsonObject) -> None:
    path = f"/integrated-account/{catalog.account['id']}"
    tag = api.get(path).headers["ETag"]
    api.patch(f"/integration/{catalog.integration['id']}", {"config": {"label": "Other"}})

    answer = api.call("PATCH", path, {"tenant_id": "u"}, headers={"If-Match": tag})

    assert answer.status == 412
    tag = api.get(path).headers["ETag"]
    assert api.call("PATCH", path, {"tenant_id": "u"}, headers={"If-Match": tag}).status == 200
