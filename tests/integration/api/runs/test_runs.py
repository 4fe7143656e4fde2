"""Sync job runs over HTTP."""

import pytest

from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import RESOURCES, Caller, Catalog

# Every field of the response on the page that the project was created from.
SEED_FIELDS = {
    *("id", "args", "resources", "sync_job_id", "integrated_account_id", "status", "daemon_id", "daemon_group_key"),
    *("webhook_id", "created_at", "updated_at", "started_at", "finished_at", "sync_job"),
}
SEED_JOB_FIELDS = {"id", "integration_name", "args_schema", "resources", "environment_id", "created_at", "updated_at"}


def test_creates_a_run_with_every_field_of_the_seed(api: Caller, catalog: Catalog) -> None:
    answer = api.post("/sync-job-run", {**catalog.run_body, "status": "failed", "daemon_id": ""})

    run = answer.body
    assert (answer.status, answer.headers["Location"]) == (201, f"/sync-job-run/{run['id']}")
    assert run.keys() >= SEED_FIELDS
    assert run["sync_job"].keys() == SEED_JOB_FIELDS
    assert (run["status"], run["daemon_group_key"], run["webhook_id"]) == ("created", "default", None)
    assert (run["error_handling"], run["ignore_previous_run"], run["resources"]) == ("ignore", False, RESOURCES)
    assert api.get(f"/sync-job-run/{run['id']}").body == run


# Every field of a body that the API's documents and SDKs know, beside the two that a run can not do without.
OPTIONAL_FIELDS = (
    *("args", "daemon_group_key", "webhook_id", "error_handling", "ignore_previous_run", "status", "resources"),
    *("super_query", "force", "events_to_send", "datastore_id", "mutex_key", "state_key", "daemon_id", "version"),
    *("overlap_seconds", "started_at", "finished_at", "result", "team_id"),
)


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", OPTIONAL_FIELDS)
def test_takes_null_and_empty_as_absent(api: Caller, catalog: Catalog, name: str, nothing: JSON) -> None:
    plain = api.post("/sync-job-run", catalog.run_body)

    answer = api.post("/sync-job-run", {**catalog.run_body, name: nothing})

    own = ("id", "created_at", "updated_at")
    assert answer.status == 201, answer.body
    assert {key: value for key, value in answer.body.items() if key not in own} == {
        key: value for key, value in plain.body.items() if key not in own
    }


@pytest.mark.parametrize("nothing", [None, ""])
def test_takes_a_body_of_nothing_but_null_or_empty_beside_its_ids(api: Caller, catalog: Catalog, nothing: JSON) -> None:
    answer = api.post("/sync-job-run", {**catalog.run_body, **dict.fromkeys(OPTIONAL_FIELDS, nothing)})

    assert (answer.status, answer.body["daemon_group_key"]) == (201, "default")


def test_makes_a_rapid_bridge_run(api: Caller, catalog: Catalog) -> None:
    webhook = api.post("/webhook", {"target_url": "https://example.com"}).body

    answer = api.post(
        "/sync-job-run", {**catalog.run_body, "webhook_id": webhook["id"].upper(), "daemon_group_key": ""}
    )

    assert answer.status == 201
    assert (answer.body["webhook_id"], answer.body["daemon_group_key"]) == (webhook["id"], None)


@pytest.mark.parametrize(
    ("change", "status", "paths"),
    [
        ({"sync_job_id": "x", "args": []}, 400, ["args", "sync_job_id"]),
        ({"error_handling": "retry", "ignore_previous_run": "yes"}, 400, ["error_handling", "ignore_previous_run"]),
        ({"daemon_group_key": "a b"}, 400, ["daemon_group_key"]),
        ({"daemon_group_key": "a\n"}, 400, ["daemon_group_key"]),
        ({"daemon_group_key": "a", "webhook_id": new_id()}, 400, ["daemon_group_key", "webhook_id"]),
        ({"resources": {}}, 400, ["resources"]),
        ({"sync_job_id": new_id(), "integrated_account_id": new_id()}, 404, ["integrated_account_id", "sync_job_id"]),
        ({"webhook_id": new_id()}, 404, ["webhook_id"]),
    ],
)
def test_refuses_a_run_with_all_its_faults(
    api: Caller, catalog: Catalog, change: JsonObject, status: int, paths: list[str]
) -> None:
    answer = api.post("/sync-job-run", {**catalog.run_body, **change})

    assert (answer.status, answer.paths) == (status, paths)


def test_each_run_is_made_of_its_job_as_it_is_then(api: Caller, catalog: Catalog) -> None:
    body = {**catalog.run_body, "args": {}}
    path = f"/sync-job/{body['sync_job_id']}"
    before = [api.post("/sync-job-run", body).body["resources"] for _ in range(2)]
    changed = [{"resource": "users", "method": "list"}]

    api.patch(path, {"resources": changed})
    after = [api.post("/sync-job-run", body).body for _ in range(2)]
    api.patch(path, {"args_schema": {"since": {"type": "string", "required": True}}})
    refused = api.post("/sync-job-run", body)

    assert before == [RESOURCES, RESOURCES]
    assert [(run["resources"], run["sync_job"]["resources"]) for run in after] == [(changed, changed)] * 2
    assert [*after[1]["resource_stats"]] == ["users"]
    assert api.get(f"/sync-job-run/{after[1]['id']}").body == after[1]
    assert (refused.status, refused.paths) == (400, ["args.since"])


def test_the_next_run_of_a_job_needs_an_account_that_fits(api: Caller, catalog: Catalog) -> None:
    body = catalog.run_body
    api.post("/sync-job-run", body)
    account = api.post("/integrated-account", {"integration_name": other_integration(api), "tenant_id": "t"}).body

    unknown = api.post("/sync-job-run", {**body, "integrated_account_id": new_id()})
    unfit = api.post("/sync-job-run", {**body, "integrated_account_id": account["id"]})
    api.delete(f"/sync-job/{body['sync_job_id']}")
    gone = api.post("/sync-job-run", body)

    assert (unknown.status, unknown.paths) == (404, ["integrated_account_id"])
    assert (unfit.status, unfit.paths) == (400, ["integrated_account_id"])
    assert (gone.status, gone.paths) == (404, ["sync_job_id"])


def other_integration(api: Caller) -> str:
    name = f"other-{new_id()}"
    api.post("/integration", {"name": name, "config": {"base_url": "https://example.com"}})
    return name


def test_an_idempotency_key_gives_the_same_run_again(api: Caller, catalog: Catalog) -> None:
    body = catalog.run_body
    key = {"Idempotency-Key": new_id()}

    first = api.post("/sync-job-run", {**body, "args": {"a": 1, "b": 2}}, headers=key)
    again = api.post("/sync-job-run", {"args": {"b": 2, "a": 1}, **body}, headers=key)
    other = api.post("/sync-job-run", body, headers=key)

    assert (first.status, again.status, other.status) == (201, 200, 422)
    assert again.body["id"] == first.body["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_refuses_an_idempotency_key_of_no_length(api: Caller, catalog: Catalog, key: str) -> None:
    answer = api.post("/sync-job-run", catalog.run_body, headers={"Idempotency-Key": key})

    assert (answer.status, answer.paths) == (400, ["Idempotency-Key"])


def test_stops_a_run_and_then_removes_it(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job-run/{api.post('/sync-job-run', catalog.run_body).body['id']}"

    refused, untouched = api.patch(path, {"status": "running"}), api.patch(path, {"started_at": None})
    stopped = api.patch(path, {"status": "stopped"})
    deleted, gone = api.delete(path), api.get(path)

    assert (refused.status, refused.paths) == (400, ["status"])
    assert (untouched.body["status"], stopped.body["status"]) == ("created", "stopped")
    assert (deleted.status, gone.status) == (200, 404)


def test_delete_stops_a_live_run(api: Caller, catalog: Catalog) -> None:
    run_id = api.post("/sync-job-run", catalog.run_body).body["id"]

    deleted = api.delete(f"/sync-job-run/{run_id}")

    assert deleted.body == {"id": run_id}
    assert api.get(f"/sync-job-run/{run_id}").body["status"] == "stopped"


@pytest.mark.parametrize("idempotency", [{}, {"Idempotency-Key": "k"}], ids=["alone", "with a key"])
def test_a_run_is_answered_as_it_is_read_whatever_was_asked_for(
    api: Caller, catalog: Catalog, idempotency: dict[str, str]
) -> None:
    webhook_id = api.post("/webhook", {"target_url": "https://hooks.example.com/x"}).body["id"]
    options = {
        **{"webhook_id": webhook_id, "events_to_send": ["sync_job_run:record", "sync_job_run:completed"]},
        **{"mutex_key": "only-{{args.a.ü}}", "state_key": "s", "error_handling": "batch", "force": True},
        **{"args": {"b": [1, 2.5, None], "a": {"ü": "x"}}, "overlap_seconds": 7, "ignore_previous_run": True},
    }
    body = {name: value for name, value in catalog.run_body.items() if name != "daemon_group_key"} | options

    made = api.post("/sync-job-run", body, headers=idempotency)

    assert made.status == 201, made.body
    assert api.get(f"/sync-job-run/{made.body['id']}").body == made.body


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=created", 1),
        ("status=created,stopped", 2),
        ("status[in]=created,stopped", 2),
        ("status[]=created&status[]=stopped", 2),
        ("status%5B0%5D=stopped&status%5B1%5D=failed", 1),
        ("status=failed", 0),
        ("status[eq]=stopped", 1),
        ("id=00000000-0000-4000-8000-000000000000", 0),
        ("sort=created_at", 2),
    ],
)
def test_lists_runs_by_status(api: Caller, catalog: Catalog, query: str, count: int) -> None:
    run_ids = [api.post("/sync-job-run", catalog.run_body).body["id"] for _ in range(2)]
    api.delete(f"/sync-job-run/{run_ids[0]}")

    page = api.call("GET", f"/sync-job-run?{query}&sync_job_id={catalog.job['id']}").body

    assert len(page["result"]) == count


@pytest.mark.parametrize("query", ["status=done", "sync_job_id=x", "integrated_account_id="])
def test_refuses_only_filters_that_make_no_sense(api: Caller, query: str) -> None:
    answer = api.call("GET", f"/sync-job-run?{query}")

    assert answer.status == (200 if query.endswith("=") else 400)


def test_lists_the_errors_of_a_run(api: Caller, stranger: Caller, catalog: Catalog) -> None:
    path = f"/sync-job-run/{api.post('/sync-job-run', catalog.run_body).body['id']}/errors"

    assert api.get(path).body == {"result": [], "next_cursor": None, "limit": 100}
    assert stranger.get(path).status == 404
