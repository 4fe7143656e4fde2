"""Datastores and destinations over HTTP: as the compatible API has them, with every fault at once and no secret."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.destinations.config_keys import KEYS
from app.engine.ids import new_id
from app.engine.objects.destinations import DatastoreType
from tests.integration.api.calling import Answer, Caller

_SECRET = "the-text-that-nobody-sees"
_POSTGRES = {"host": "db.example.com", "database": "d", "user": "u", "password": _SECRET}
_CONFIGS: dict[DatastoreType, dict[str, Any]] = {
    DatastoreType.POSTGRES: _POSTGRES,
    DatastoreType.S3: {"bucket": "b", "access_key_id": "k", "secret_access_key": _SECRET, "region": "r"},
    DatastoreType.GOOGLE_CLOUD_STORAGE: {"bucket": "b", "credentials": {"private_key": _SECRET}},
    DatastoreType.AZURE_BLOB: {"container": "c", "account_name": "a", "account_key": _SECRET},
}
_LEFT_OUT = """
    insert into destination_quarantine
           (destination_id, integrated_account_id, resource, remote_id, sequence, reason)
    values (:id, :account, 'tickets', :remote_id, 7, 'n is a text')
"""


def _failures(answer: Answer) -> dict[str, str]:
    return {one["path"]: one["message"] for one in answer.body["details"]["failures"]}


@pytest.mark.parametrize("kind", _CONFIGS)
def test_a_datastore_of_each_type_is_kept_without_showing_its_secrets(
    api: Caller, engine: Engine, kind: DatastoreType
) -> None:
    id = new_id()
    made = api.post("/datastore", {"id": id, "type": kind, "label": "mine", "config": _CONFIGS[kind]})
    changed = api.patch(f"/datastore/{id}", {"config": {"prefix": "a/b"} if "prefix" in KEYS[kind] else {"port": 5433}})
    listed = api.get("/datastore", type=kind, id=id)

    assert (made.status, made.body["id"], changed.status) == (201, id, 200)
    secrets = {name for name, key in KEYS[kind].items() if key.is_secret}
    assert set(made.body["secrets"]) == secrets & _CONFIGS[kind].keys()
    assert set(changed.body["config"]) == {*_CONFIGS[kind], "prefix" if "prefix" in KEYS[kind] else "port"} - secrets
    assert [one["id"] for one in listed.body["result"]] == [id]
    shown = json.dumps([made.body, changed.body, listed.body, api.get(f"/datastore/{id}").body])
    assert _SECRET not in shown
    with engine.connect() as connection:
        assert _SECRET not in str(connection.execute(text("select d::text from datastore d")).all())
    assert api.delete(f"/datastore/{id}").body == {"id": id}


def test_every_fault_of_a_config_is_told_at_once(api: Caller) -> None:
    config = {"host": "/var/run", "port": 0, "datbase": "d", "user": "u", "sslmode": "maybe"}

    answer = api.post("/datastore", {"type": "postgres", "config": config})

    assert (answer.status, set(_failures(answer))) == (
        400,
        {"config", "config.datbase", "config.host", "config.port", "config.sslmode"},
    )


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"type": "mongo_data_api", "config": {}}, "type", "is not supported"),
        ({"type": "qdrant", "config": {}}, "type", "is not supported"),
        ({"type": "paper", "config": {}}, "type", "expected one of"),
        ({"type": "s3", "config": {"bucket": "b"}}, "config", "lacks credentials"),
        ({"type": "filesystem", "config": {"path": "a"}}, "type", "FERRYMAN_DESTINATION_DIRECTORY"),
        ({"type": "duckdb", "config": {"path": "../a"}}, "config.path", "without '..'"),
        (
            {"type": "postgres", "config": {"url": "postgresql://u:p@h/d?sslrootcert=/etc/passwd"}},
            "config.url",
            "sslrootcert",
        ),
        ({"type": "postgres", "config": {**_POSTGRES, "url": "postgresql://u:p@h/d"}}, "config.host", "one of the two"),
    ],
    ids=["mongo", "qdrant", "unknown", "no-credentials", "no-directory", "above", "url-parameter", "twice"],
)
def test_what_is_not_offered_is_refused_in_words(api: Caller, body: dict[str, Any], path: str, words: str) -> None:
    answer = api.post("/datastore", body)

    assert answer.status == 400
    assert words in _failures(answer)[path]


def test_a_change_is_merged_and_checked_as_a_whole(api: Caller) -> None:
    id = api.post("/datastore", {"type": "postgres", "config": _POSTGRES}).body["id"]

    refused = api.patch(f"/datastore/{id}", {"config": {"host": None, "port": 1}})
    other = api.patch(f"/datastore/{id}", {"type": "s3"})
    address = {"url": f"postgres://u:{_SECRET}@h/d", **dict.fromkeys(_POSTGRES)}
    changed = api.patch(f"/datastore/{id}", {"config": address})

    assert (refused.status, list(_failures(refused))) == (400, ["config"])
    assert (other.status, list(_failures(other))) == (400, ["type"])
    assert (changed.body["config"], changed.body["secrets"]) == ({}, ["url"])


def test_a_test_says_in_words_what_is_wrong(api: Caller) -> None:
    config = {**_POSTGRES, "host": "127.0.0.1", "port": 1}
    id = api.post("/datastore", {"type": "postgres", "config": config}).body["id"]

    answer = api.post(f"/datastore/{id}/test", {})

    assert answer.status == 502
    assert "127.0.0.1" in answer.body["message"]
    assert _SECRET not in json.dumps(answer.body)
    assert api.post(f"/datastore/{id}/test/uploadObject", {}).status == 400


def test_a_destination_names_what_there_is(api: Caller) -> None:
    id = api.post("/datastore", {"type": "postgres", "config": _POSTGRES}).body["id"]
    wrong = {"datastore_id": id, "resources": [], "options": {"schema": "No Name", "color": "red"}}

    refused = api.post("/destination", wrong)
    missing = api.post("/destination", {"datastore_id": new_id(), "integrated_account_id": new_id()})
    made = api.post("/destination", {"datastore_id": id, "deletes": "hard"})

    assert (refused.status, set(_failures(refused))) == (400, {"resources", "options.schema", "options.color"})
    assert (missing.status, set(_failures(missing))) == (404, {"datastore_id", "integrated_account_id"})
    assert (made.status, made.body["resources"], made.body["status"]) == (201, "*", "current")
    fixed = api.patch(f"/destination/{made.body['id']}", {"mode": "append", "deletes": "soft"})
    assert (fixed.status, set(_failures(fixed))) == (400, {"mode"})
    assert api.delete(f"/datastore/{id}").status == 400


def test_a_destination_is_paused_filled_anew_and_shown(api: Caller) -> None:
    store = api.post("/datastore", {"type": "postgres", "config": _POSTGRES}).body["id"]
    path = f"/destination/{api.post('/destination', {'datastore_id': store}).body['id']}"

    assert api.post(f"{path}/pause", {}).body["status"] == "paused"
    assert api.post(f"{path}/resume", {}).body["status"] == "current"
    assert api.post(f"{path}/backfill", {"from_sequence": 7}).body["epoch"] == 1
    assert api.get(f"{path}/cursors").body["result"] == []
    assert api.get(f"{path}/cursors", next_cursor="x").status == 400
    assert api.delete(path).status == 200


def test_what_was_left_out_is_listed_page_by_page(api: Caller, engine: Engine) -> None:
    datastore = api.post("/datastore", {"type": "postgres", "config": _POSTGRES}).body["id"]
    id = api.post("/destination", {"datastore_id": datastore}).body["id"]
    accounts = sorted(new_id() for _ in range(2))
    with engine.begin() as connection:
        for account in accounts:
            for remote_id in ("a", "b"):
                connection.execute(
                    text(_LEFT_OUT),
                    {"id": id, "account": account, "remote_id": remote_id},
                )

    first = api.get(f"/destination/{id}/quarantined", limit=3).body
    rest = api.get(f"/destination/{id}/quarantined", limit=3, next_cursor=first["next_cursor"]).body

    keys = [(one["integrated_account_id"], one["remote_id"]) for one in [*first["result"], *rest["result"]]]
    assert keys == [(account, remote_id) for account in accounts for remote_id in ("a", "b")]
    assert {one["reason"] for one in first["result"]} == {"n is a text"}
    assert rest["next_cursor"] is None
    assert api.post(f"/destination/{id}/backfill", {"quarantined": True}).body["epoch"] == 1
    both = api.post(f"/destination/{id}/backfill", {"quarantined": True, "from_sequence": 2})
    assert (both.status, both.body["details"]["failures"][0]["path"]) == (400, "quarantined")
    assert api.get(f"/destination/{id}/quarantined", next_cursor="nonsense").status == 400
    assert api.get(f"/destination/{new_id()}/quarantined").status == 404


def test_a_destination_of_states_is_not_rebuilt(api: Caller) -> None:
    datastore = api.post("/datastore", {"type": "postgres", "config": _POSTGRES}).body["id"]
    merging, appending = (
        api.post("/destination", {"datastore_id": datastore, "mode": mode}).body["id"] for mode in ("merge", "append")
    )

    assert api.post(f"/destination/{merging}/rebuild", {}).body["epoch"] == 1
    refused = api.post(f"/destination/{appending}/rebuild", {})
    assert (refused.status, refused.paths) == (400, ["mode"])
