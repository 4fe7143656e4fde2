"""Each change leaves an entry that says who made it and what it has changed, in the same transaction."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.api.resources.services import ApiServices
from app.engine.objects.environments import EnvironmentId, Role
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog


def entries(api: Caller, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/audit-entry", limit=1000, **filters).body["result"]
    return found


def actions(api: Caller, **filters: Any) -> list[str]:
    """List actions, oldest first."""
    return [entry["action"] for entry in reversed(entries(api, **filters))]


def test_entry_says_who_when_and_what(api: Caller) -> None:
    webhook = api.post("/webhook", {"target_url": "http://127.0.0.1:1/hook"}).body

    changed = api.patch(f"/webhook/{webhook['id']}", {"is_active": False})

    token = next(one for one in api.get("/api-token").body["result"] if one["name"] == "test")
    (entry,) = entries(api, object_id=webhook["id"], action="webhook.updated")
    assert (entry["before"], entry["after"]) == ({"is_active": True}, {"is_active": False})
    assert (entry["actor_kind"], entry["actor_id"], entry["actor_name"]) == ("token", token["id"], "test")
    assert entry["operation"] == "PATCH /webhook/<id>"
    assert entry["request_id"] == changed.headers["X-Request-Id"]
    assert entry["remote_address"] == "127.0.0.1"
    assert api.get(f"/audit-entry/{entry['id']}").body == entry


def test_created_and_deleted_objects_show_what_they_were(api: Caller) -> None:
    template = api.post("/sync-job-template", {"label": "daily", "resources": RESOURCES}).body

    api.delete(f"/sync-job-template/{template['id']}")

    created, deleted = reversed(entries(api, object_id=template["id"]))
    assert (created["action"], created["before"]) == ("sync_job_template.created", None)
    assert (deleted["action"], deleted["after"]) == ("sync_job_template.deleted", None)
    assert created["after"]["label"] == deleted["before"]["label"] == "daily"


def test_change_that_changes_nothing_leaves_no_entry(api: Caller, catalog: Catalog) -> None:
    api.patch(f"/sync-job/{catalog.job['id']}", {"label": catalog.job["label"]})

    assert actions(api, object_id=catalog.job["id"]) == ["sync_job.created"]


def test_refused_change_leaves_no_entry(api: Caller, catalog: Catalog) -> None:
    assert api.patch(f"/sync-job/{catalog.job['id']}", {"label": 5}).status == 400
    assert api.post("/integration", {"name": "acme", "config": CONFIG}).status == 400

    assert actions(api, object_type="integration") == ["integration.created"]
    assert actions(api, object_id=catalog.job["id"]) == ["sync_job.created"]


def test_run_is_audited_where_a_person_decides(api: Caller, catalog: Catalog) -> None:
    run = api.post("/sync-job-run", catalog.run_body).body

    api.patch(f"/sync-job-run/{run['id']}", {"status": "stopped"})
    api.post(f"/sync-job-run/{run['id']}/resume", {})
    api.patch(f"/sync-job-run/{run['id']}", {"status": "stopped"})
    api.delete(f"/sync-job-run/{run['id']}")

    did = ["created", "stopped", "resumed", "stopped", "deleted"]
    assert actions(api, object_id=run["id"]) == [f"sync_job_run.{one}" for one in did]
    assert "args" not in entries(api, object_id=run["id"])[-1]["after"]


def test_start_of_a_run_is_an_entry_beside_it_and_one_of_its_own_once_somebody_removes_the_run(
    api: Caller, catalog: Catalog, engine: Engine
) -> None:
    answer = api.post("/sync-job-run", catalog.run_body)
    run, token = answer.body, api.get("/api-token").body["result"][0]
    of_run = {"object_id": run["id"], "action": "sync_job_run.created"}
    (entry,) = entries(api, **of_run)

    assert api.get(f"/audit-entry/{run['id']}").body == entry
    assert (entry["actor_kind"], entry["actor_id"], entry["actor_name"]) == ("token", token["id"], "test")
    assert (entry["operation"], entry["remote_address"]) == ("POST /sync-job-run", "127.0.0.1")
    assert (entry["request_id"], entry["created_at"]) == (answer.headers["X-Request-Id"], run["created_at"])
    assert entry["integrated_account_id"] == catalog.account["id"]
    assert (entry["before"], entry["after"]["sync_job_id"]) == (None, catalog.job["id"])
    narrowed = {"actor_id": token["id"], "object_type": "sync_job_run", "actor_kind": "token", "id": entry["id"]}
    for name, value in {**narrowed, "integrated_account_id": catalog.account["id"]}.items():
        assert entry in entries(api, **{name: value})
        assert entry in entries(api, **{f"{name}[in]": value})
    assert entries(api, **of_run, actor_kind="ui") == entries(api, id=entry["id"], object_type="webhook") == []

    for path in (f"/sync-job-run/{run['id']}",) * 2:
        assert api.delete(path).status == 200
    assert entries(api, **of_run) == [entry]
    with engine.connect() as connection:
        kept = (
            "select (select count(*) from run_start where id = :id), (select count(*) from audit_entry where id = :id)"
        )
        assert tuple(connection.execute(text(kept), {"id": run["id"]}).one()) == (0, 1)


def test_only_the_changed_part_of_a_config_shows(api: Caller) -> None:
    integration = api.post("/integration", {"name": "big", "config": CONFIG}).body

    changed = {**CONFIG, "base_url": "https://other.example.com"}
    assert api.patch(f"/integration/{integration['id']}", {"config": changed}).status == 200

    (entry,) = entries(api, object_id=integration["id"], action="integration.updated")
    assert entry["after"] == {"config": {"base_url": "https://other.example.com"}}
    assert list(entry["before"]["config"]) == ["base_url"]


def test_secrets_show_only_that_they_have_changed(api: Caller, catalog: Catalog, engine: Engine) -> None:
    canaries = [f"c4nary-{number}-s3cret-8x7y6z5w" for number in range(6)]
    secret: dict[str, Any] = {**CONFIG, "headers": {"X-Api-Key": canaries[0], "X-Tail": canaries[0]}}
    integration = api.post("/integration", {"name": "sealed", "config": secret}).body
    secret["headers"]["X-Api-Key"] = canaries[1]
    api.patch(f"/integration/{integration['id']}", {"config": secret})
    path = f"/integrated-account/{catalog.account['id']}"
    api.patch(f"{path}/credentials", {"context": {"api_key": canaries[2]}})
    api.patch(path, {"integration_override": {"headers": {"X-Api-Key": canaries[3]}}})
    webhook = api.post("/webhook", {"target_url": "http://127.0.0.1:1/", "secret": canaries[4]}).body
    rotated = api.post(f"/webhook/{webhook['id']}/rotate-secret", {}).body["secret"]
    url = f"postgresql://u:{canaries[5]}@127.0.0.1:1/d"
    api.post("/datastore", {"type": "postgres", "config": {"url": url, "schema": "s"}})

    with engine.connect() as connection:
        stored = json.dumps([str(row) for row in connection.execute(text("select t.*::text from audit_entry t"))])
    shown = json.dumps(entries(api))
    assert not [one for one in (*canaries, rotated, "ferryman-sealed") if one in stored or one in shown]
    (changed,) = entries(api, object_id=integration["id"], action="integration.updated")
    assert list(changed["after"]["config"]["headers"]) == ["X-Api-Key"]
    credentials = entries(api, object_id=catalog.account["id"], action="integrated_account.updated")
    assert any("context" in entry["after"] for entry in credentials)
    (rotation,) = entries(api, object_id=webhook["id"], action="webhook.updated")
    assert "secret" in rotation["after"]


@pytest.mark.parametrize(
    "value", ["ferryman-sealed:x\\abcdefg", '"ferryman-sealed:\\u12345"', "ferryman-sealed:abcdefgh"]
)
def test_text_that_looks_like_a_sealed_one_is_stored(api: Caller, catalog: Catalog, value: str) -> None:
    answer = api.patch(f"/sync-job/{catalog.job['id']}", {"label": value})

    (entry,) = entries(api, object_id=catalog.job["id"], action="sync_job.updated")
    assert (answer.status, answer.body["label"]) == (200, value)
    assert entry["after"]["label"] == ("*** abcdefgh" if value.endswith(":abcdefgh") else value)


def test_wide_objects_take_little_time_and_little_place(api: Caller, engine: Engine) -> None:
    """An entry is made within the lock of the row that is changed, and read in one piece."""
    one, other = ({f"key-{number}": value for number in range(20_000)} for value in "ab")
    api.post("/tenant", {"id": "wide", "name": "one", "metadata": one})
    assert api.patch("/tenant/wide", {"name": "other", "metadata": other}).status == 200

    with engine.connect() as connection:
        connection.execute(text("set statement_timeout = '5s'"))
        compare = text("select come from audit_difference(cast(:one as jsonb), cast(:other as jsonb), 12)")
        assert connection.execute(compare, {"one": json.dumps(one), "other": json.dumps(other)}).scalar_one() == other
    (changed,) = entries(api, object_id="wide", action="tenant.updated")
    assert (changed["before"]["name"], changed["after"]["name"]) == ("one", "other")
    assert re.fullmatch(r"\d{6} bytes, SHA-256 [0-9a-f]{64}", changed["after"]["metadata"])


def test_change_by_an_accounts_own_token_names_the_account(app: Flask, api: Caller) -> None:
    credentials = {"format": "api_key", "config": {"fields": [{"name": "api_key", "type": "password"}]}}
    api.post("/integration", {"name": "own", "config": {**CONFIG, "credentials": credentials}})
    account = api.post("/integrated-account", {"integration_name": "own", "tenant_id": "t1"}).body["id"]
    token = api.post("/integrated-account/token", {"integrated_account_id": account}).body["integrated_account_token"]

    Caller(app.test_client(), token).patch("/integrated-account/me", {"context": {"api_key": "other"}})

    (entry,) = entries(api, actor_kind="account")
    assert (entry["actor_id"], entry["object_id"]) == (account, account)
    assert list(entry["after"]) == ["context", "origins"]


def test_status_that_ferryman_sets_itself_is_the_systems(api: Caller, catalog: Catalog, engine: Engine) -> None:
    with engine.begin() as connection:
        refuse = "update integrated_account set status = 'needs_reauth', last_error = 'no' where id = :id"
        connection.execute(text(refuse), {"id": catalog.account["id"]})

    (entry,) = entries(api, actor_kind="system")
    assert entry["after"] == {"status": "needs_reauth", "last_error": "no"}


def test_others_see_none_of_it(api: Caller, stranger: Caller, catalog: Catalog) -> None:
    entry = entries(api)[0]

    assert catalog.job["id"] not in json.dumps(entries(stranger))
    assert stranger.get(f"/audit-entry/{entry['id']}").status == 404


@pytest.mark.parametrize("name", ["actor_kind", "actor_id", "created_at[gte]"])
def test_wrong_filters_are_refused(api: Caller, name: str) -> None:
    assert api.get("/audit-entry", **{name: "anybody"}).status == 400


def test_list_is_narrowed_and_read_in_pages(api: Caller, catalog: Catalog) -> None:
    whole = entries(api)
    first = api.get("/audit-entry", limit=2).body

    rest = api.get("/audit-entry", limit=100, next_cursor=first["next_cursor"]).body
    assert first["result"] + rest["result"] == whole
    of_account = entries(api, integrated_account_id=catalog.account["id"])
    assert {entry["object_id"] for entry in of_account} == {catalog.account["id"]}
    assert entries(api, object_type="sync_job")[0]["object_id"] == catalog.job["id"]


def test_token_that_may_only_read_reads_it(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, catalog: Catalog
) -> None:
    _, secret = services.tokens.create(environment_id, "reader", role=Role.READ)

    assert entries(Caller(app.test_client(), secret))
    assert Caller(app.test_client(), secret).post("/audit-entry", {}).status in (404, 405)
