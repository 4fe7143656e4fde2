"""What one account changes about its integration: laid over the environment's layer, its secrets kept from view."""

from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog
from tests.support.upstream import Upstream, reply

SECRET = {"authorization": {"format": "header", "config": {"header_name": "X-Key", "header_value": "account-canary"}}}


def things(path: str) -> JsonObject:
    return {"resources": {"things": {"list": {"path": path, "response_path": "things"}}}}


def test_account_is_laid_over_its_environment_which_is_laid_over_the_integration(
    api: Caller, catalog: Catalog, upstream: Upstream
) -> None:
    upstream.answers("/of-account", reply({"things": [{"id": 1}]}))
    ours = {"base_url": upstream.url, "authorization": None, "headers": {"X-A": "env", "X-B": "env"}}
    api.post(
        "/environment-integration",
        {"integration_id": catalog.integration["id"], "override": {**ours, **things("/of-environment")}},
    )
    path = f"/integrated-account/{catalog.account['id']}"
    override = {**things("/of-account"), "headers": {"X-B": "account"}}
    shown = {**override, "headers": {"X-B": "********"}}
    assert api.patch(path, {"integration_override": override}).body["integration_override"] == shown

    answer = api.get("/proxy/things", integrated_account_id=catalog.account["id"])

    assert (answer.status, answer.body["result"]) == (200, [{"id": 1}])
    (seen,) = upstream.requests
    assert (seen.headers["x-a"], seen.headers["x-b"]) == ("env", "account")


def test_secrets_of_an_accounts_override_are_masked_kept_and_encrypted(
    api: Caller, catalog: Catalog, engine: Engine
) -> None:
    path = f"/integrated-account/{catalog.account['id']}"

    shown = api.patch(path, {"integration_override": SECRET}).body
    again = api.patch(path, {"integration_override": shown["integration_override"]}).body

    assert "account-canary" not in str(shown)
    assert again["integration_override"] == shown["integration_override"]
    with engine.begin() as connection:
        statement = text("select integration_override::text from integrated_account where id = :id")
        stored = connection.execute(statement, {"id": catalog.account["id"]}).scalar_one()
    assert "account-canary" not in stored
    assert "ferryman-sealed" in stored


def test_override_that_makes_no_config_is_refused_when_it_is_sent(api: Caller, catalog: Catalog) -> None:
    wrong = {"integration_override": {"base_url": 3}}
    new = {"integration_name": catalog.integration["name"], "tenant_id": "t"}

    assert api.patch(f"/integrated-account/{catalog.account['id']}", wrong).paths == ["integration_override.base_url"]
    assert api.post("/integrated-account", {**new, **wrong}).paths == ["integration_override.base_url"]
