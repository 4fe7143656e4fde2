"""Installed integrations over HTTP: their life, their secrets, and what calls make of their overrides."""

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog
from tests.support.upstream import Upstream, reply

PATH = "/environment-integration"
SECRET = {"credentials": {"format": "oauth2", "config": {"client": {"id": "c", "secret": "install-canary"}}}}


@pytest.fixture
def installed(api: Caller, catalog: Catalog) -> JsonObject:
    made: JsonObject = api.post(PATH, {"integration_id": catalog.integration["id"]}).body
    return made


def test_integration_is_installed_once_and_uninstalled(api: Caller, catalog: Catalog) -> None:
    body = {"integration_id": catalog.integration["id"], "override": {"headers": {"A": "1"}}, "is_enabled": True}

    first, second = api.post(PATH, body), api.post(PATH, {**body, "show_in_catalog": False})

    path = f"{PATH}/{first.body['id']}"
    assert (first.status, first.headers["Location"], second.status) == (201, path, 200)
    assert (second.body["id"], second.body["override"]) == (first.body["id"], {"headers": {"A": "1"}})
    assert api.get(path).body == second.body
    assert not second.body["show_in_catalog"]
    assert api.get(PATH, integration_id=catalog.integration["id"]).body["result"] == [second.body]
    assert api.delete(path).body == {"id": first.body["id"]}
    assert [call.status for call in (api.get(path), api.patch(path, {}), api.delete(path))] == [404] * 3


def test_faults_are_told(api: Caller, catalog: Catalog, installed: JsonObject) -> None:
    path, id = f"{PATH}/{installed['id']}", catalog.integration["id"]

    assert api.post(PATH, {}).paths == ["integration_id"]
    assert api.post(PATH, {"integration_id": installed["id"]}).status == 404
    assert api.post(PATH, {"integration_id": id, "override": {"base_url": 3}}).paths == ["override.base_url"]
    assert api.patch(path, {"integration_id": installed["id"], "is_enabled": False}).paths == [
        "integration_id",
        "is_enabled",
    ]


def test_secrets_of_an_override_are_masked_kept_and_encrypted(
    api: Caller, installed: JsonObject, engine: Engine
) -> None:
    path = f"{PATH}/{installed['id']}"

    shown = api.patch(path, {"override": SECRET}).body
    again = api.patch(path, {"override": shown["override"]}).body

    assert "install-canary" not in str(shown)
    assert again["override"] == shown["override"]
    with engine.begin() as connection:
        statement = text("select override::text from environment_integration where id = :id")
        stored = connection.execute(statement, {"id": installed["id"]}).scalar_one()
    assert "install-canary" not in stored
    assert "ferryman-sealed" in stored


def test_calls_use_the_config_with_its_override(
    api: Caller, catalog: Catalog, installed: JsonObject, upstream: Upstream
) -> None:
    upstream.answers("/things", reply({"things": [{"id": 1}]}))
    override = {"base_url": upstream.url, "authorization": None}
    override["resources"] = {"things": {"list": {"path": "/things", "response_path": "things"}}}
    api.patch(f"{PATH}/{installed['id']}", {"override": override})

    answer = api.get("/proxy/things", integrated_account_id=catalog.account["id"])

    assert answer.status == 200, answer.body
    assert answer.body["result"] == [{"id": 1}]


def test_strangers_see_no_installed_integration(stranger: Caller, catalog: Catalog, installed: JsonObject) -> None:
    path = f"{PATH}/{installed['id']}"

    assert stranger.get(PATH).body["result"] == []
    assert [call.status for call in (stranger.get(path), stranger.patch(path, {}), stranger.delete(path))] == [404] * 3
    assert stranger.post(PATH, {"integration_id": catalog.integration["id"]}).status == 404
