"""Templates of sync jobs over HTTP, and the jobs that are made of them."""

import pytest

from app.engine.json_types import JsonObject
from tests.integration.api.calling import RESOURCES, Caller, Catalog

PATH = "/sync-job-template"


@pytest.fixture
def template(api: Caller) -> JsonObject:
    made: JsonObject = api.post(PATH, {"label": "People", "resources": RESOURCES}).body
    return made


def test_template_is_created_shown_changed_and_deleted(api: Caller, template: JsonObject) -> None:
    path = f"{PATH}/{template['id']}"

    assert (template["sharing"], template["default_runtime_version"], template["args_schema"]) == ("deny", 3, {})
    assert api.get(path).body == template
    changed = api.patch(path, {"description": "All people", "sharing": "allow", "integration_name": "acme"}).body
    assert (changed["description"], changed["sharing"]) == ("All people", "allow")
    assert api.get(PATH, label="People", integration_name="acme").body["result"] == [changed]
    assert api.get(PATH, label="Other").body["result"] == []
    assert api.delete(path).body == {"id": template["id"]}
    assert [call.status for call in (api.get(path), api.patch(path, {}), api.delete(path))] == [404] * 3


def test_all_faults_of_a_template_are_told(api: Caller, template: JsonObject) -> None:
    wrong = {"resources": [{}], "sharing": "all", "default_runtime_version": 9, "args_schema": []}

    answer = api.post(PATH, wrong)

    assert {"label", "sharing", "default_runtime_version", "args_schema"} <= set(answer.paths)
    assert any(path.startswith("resources") for path in answer.paths)
    assert api.patch(f"{PATH}/{template['id']}", {"sharing": "all"}).paths == ["sharing"]


def test_job_begins_as_its_template(api: Caller, catalog: Catalog, template: JsonObject) -> None:
    path = f"{PATH}/{template['id']}/sync-job"

    answer = api.post(path, {"integration_name": "acme", "mutex_key": "m"})

    job = answer.body
    assert (answer.status, answer.headers["Location"]) == (201, f"/sync-job/{job['id']}")
    assert (job["label"], job["resources"], job["mutex_key"]) == ("People", RESOURCES, "m")
    assert api.get(f"/sync-job/{job['id']}").body == job
    assert api.post(path, {}).paths == ["integration_name"]
    assert api.post(path, {"integration_name": "nobody"}).status == 404
    api.patch(f"{PATH}/{template['id']}", {"integration_name": "acme"})
    assert api.call("POST", path).status == 201


def test_strangers_see_no_template(stranger: Caller, template: JsonObject) -> None:
    path = f"{PATH}/{template['id']}"

    assert stranger.get(PATH).body["result"] == []
    assert [call.status for call in (stranger.get(path), stranger.patch(path, {}), stranger.delete(path))] == [404] * 3
    assert stranger.post(f"{path}/sync-job", {}).status == 404
