"""What is declared to be no secret is shown to everybody; what is stored as one is not shown by declaring it later."""

import pytest
from sqlalchemy import Engine, text

from app.connectors import list_shipped, load
from app.engine.config.secrets import list_literal_secrets
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.redaction import MASK
from tests.integration.api.calling import Caller

FIELDS: JSON = [{"name": "site", "type": "text"}, {"name": "pat", "type": "password"}]
BEARER: JsonObject = {"format": "bearer", "config": {"fields": FIELDS}}


def integration(api: Caller, **config: JSON) -> JsonObject:
    body = {"name": f"acme-{new_id()}", "config": {"base_url": "https://up.test", **config}}
    made: JsonObject = api.post("/integration", body).body
    return made


def account(api: Caller, made: JsonObject, context: JsonObject) -> str:
    body = {"integration_name": made["name"], "tenant_id": "t", "context": context}
    return str(api.post("/integrated-account", body).body["id"])


def test_an_account_shows_what_its_form_asks_for_openly(api: Caller) -> None:
    made = integration(api, credentials=BEARER, non_secret=["context.oauth.instance_url"])
    context = {"site": "eu", "pat": "p", "region": "x", "oauth": {"instance_url": "here", "id": 5}}
    id = account(api, made, context)

    shown = {"site": "eu", "pat": MASK, "region": MASK, "oauth": {"instance_url": "here", "id": MASK}}
    listed = api.get("/integrated-account", **{"integration.name": made["name"]}).body["result"]
    assert [one["context"] for one in (api.get(f"/integrated-account/{id}").body, *listed)] == [shown, shown]
    assert api.patch(f"/integrated-account/{id}", {"context": shown}).body["context"] == shown
    assert "plain_paths" not in api.get(f"/integrated-account/{id}").body


def test_a_value_is_not_shown_by_declaring_it_later_but_by_entering_it_again(api: Caller) -> None:
    made = integration(api)
    id = account(api, made, {"odd_name": "canary"})
    path = f"/integrated-account/{id}"
    api.patch(f"/integration/{made['id']}", {"config": {"non_secret": ["context.odd_name"]}})

    assert api.get(path).body["context"] == {"odd_name": MASK}
    assert api.patch(path, {"context": {"odd_name": MASK}}).body["context"] == {"odd_name": MASK}
    assert api.patch(path, {"context": {"odd_name": "plain"}}).body["context"] == {"odd_name": "plain"}
    api.patch(f"/integration/{made['id']}", {"config": {"non_secret": None}})
    assert api.get(path).body["context"] == {"odd_name": MASK}


def test_an_account_of_before_shows_what_is_declared_and_not_named_like_a_secret(api: Caller, engine: Engine) -> None:
    made = integration(api, non_secret=["context.site", "context.pat"])
    id = account(api, made, {"site": "eu", "pat": "p"})
    with engine.begin() as connection:
        connection.execute(text("update integrated_account set plain_paths = null where id = :id"), {"id": id})

    assert api.get(f"/integrated-account/{id}").body["context"] == {"site": "eu", "pat": MASK}


@pytest.mark.parametrize("layer", ["integration", "environment-integration", "integrated-account"])
def test_a_literal_is_not_shown_by_declaring_it_later(api: Caller, layer: str) -> None:
    headers = {"headers": {"X-Client": "canary"}}
    made = integration(api, **(headers if layer == "integration" else {}))
    path, field = f"/{layer}/{made['id']}", "config"
    if layer == "environment-integration":
        installed = api.post("/environment-integration", {"integration_id": made["id"], "override": headers}).body
        path, field = f"/{layer}/{installed['id']}", "override"
    if layer == "integrated-account":
        path, field = f"/{layer}/{account(api, made, {})}", "integration_override"
        api.patch(path, {field: headers})

    shown = api.get(path).body[field]
    refused = api.patch(path, {field: {**shown, "non_secret": ["X-Client"]}})
    entered = api.patch(path, {field: {**shown, **headers, "non_secret": ["X-Client"]}})

    assert shown["headers"] == {"X-Client": MASK}
    assert (refused.status, refused.paths) == (400, [f"{field}.headers.X-Client"])
    assert entered.body[field]["headers"] == {"X-Client": "canary"}


def test_literals_are_sealed_in_the_database(api: Caller, engine: Engine) -> None:
    literals = {"headers": {"X-Client": "canary-1"}, "query": {"hapikey": 7391827364, "limit": 1000}}

    made = integration(api, **literals)

    with engine.connect() as connection:
        query = text("select config::text from integration where id = :id")
        stored = connection.execute(query, {"id": made["id"]}).scalar_one()
    assert "canary" not in stored
    assert "7391827364" not in stored
    assert '"limit": 1000' in stored
    assert made["config"]["query"] == {"hapikey": MASK, "limit": 1000}


@pytest.mark.parametrize("name", list_shipped())
def test_a_shipped_connector_hides_nothing_of_its_own(name: str) -> None:

    assert list_literal_secrets(load(name).integration["config"]) == []
