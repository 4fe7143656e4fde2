"""Whoever changes what held records are known by reads it in the answer."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog

BY_UID: JsonObject = {"resources": {"users": {"list": {"id_path": "uid"}}}}
JOB = [{"resource": "users", "method": "list", "persist": True}]
OTHER_JOB = [
    {"resource": "teams", "method": "list"},
    {**JOB[0], "depends_on": "teams", "include_from_parent": ["id"]},
]
_HOLD = (
    "insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id) "
    "values (:account, 'users', '1', '{}', '', :job)",
    "insert into record_key (integrated_account_id, resource, webhook_id, sync_job_id, keys, args_hash) "
    "values (:account, 'users', '00000000-0000-0000-0000-000000000000', :job, '[]', '')",
)


@pytest.fixture
def held(api: Caller, catalog: Catalog, engine: Engine) -> Catalog:
    """A job that has brought a record for an account."""
    api.patch(f"/sync-job/{catalog.job['id']}", {"resources": JOB})
    with engine.begin() as connection:
        for statement in _HOLD:
            connection.execute(text(statement), {"account": catalog.account["id"], "job": catalog.job["id"]})
    return catalog


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("integration", {"config": BY_UID}),
        ("integrated-account", {"integration_override": BY_UID}),
        ("sync-job", {"resources": OTHER_JOB}),
    ],
)
def test_change_of_a_key_is_answered_with_a_warning_once(
    api: Caller, held: Catalog, kind: str, change: JsonObject
) -> None:
    things: dict[str, Any] = {"integration": held.integration, "integrated-account": held.account, "sync-job": held.job}
    path = f"/{kind}/{things[kind]['id']}"

    changed, again = api.patch(path, change), api.patch(path, change)

    (warning,) = changed.body["warnings"]
    assert (warning["code"], warning["resource"], warning["accounts"]) == ("key_changed", "users", 1)
    assert "warnings" not in again.body
    assert "warnings" not in api.get(path).body
    assert changed.status == 200


def test_warned_answer_has_the_tag_of_the_thing_itself(api: Caller, held: Catalog) -> None:
    path = f"/sync-job/{held.job['id']}"

    changed = api.patch(path, {"resources": OTHER_JOB})

    assert "warnings" in changed.body
    assert changed.headers["ETag"] == api.get(path).headers["ETag"]


def test_installation_that_changes_a_key_is_answered_with_a_warning(api: Caller, held: Catalog) -> None:
    body = {"integration_id": held.integration["id"], "override": BY_UID}

    installed = api.post("/environment-integration", body)
    path = f"/environment-integration/{installed.body['id']}"
    changed = api.patch(path, {"override": {}})

    assert [one["resource"] for one in installed.body["warnings"]] == ["users"]
    assert [one["resource"] for one in changed.body["warnings"]] == ["users"]
    assert "warnings" not in api.patch(path, {"show_in_catalog": False}).body


def test_short_answer_keeps_the_warning(api: Caller, held: Catalog) -> None:
    path = f"/sync-job/{held.job['id']}"

    answer = api.call("PATCH", path, {"resources": OTHER_JOB}, headers={"Prefer": "return=minimal"})

    assert set(answer.body) == {"id", "warnings"}
