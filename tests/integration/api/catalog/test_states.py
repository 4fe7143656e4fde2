"""States over HTTP: written once or often, read by key within a namespace, walled."""

import pytest

from app.engine.json_types import JSON
from tests.integration.api.calling import Caller

PATH = "/sync-job-run-state"


@pytest.mark.parametrize("value", ["text", None, 3, [1, {"a": None}], {"cursor": "x"}])
def test_value_is_any_json(api: Caller, value: JSON) -> None:
    assert api.post(PATH, {"state_key": "s", "key": "k", "value": value}).status == 201

    assert api.get(f"{PATH}/k", state_key="s").body["value"] == value


def test_second_post_replaces_the_value(api: Caller) -> None:
    first = api.post(PATH, {"state_key": "s", "key": "a/b c", "value": 1})
    second = api.post(PATH, {"state_key": "s", "key": "a/b c", "value": 2})

    assert (first.status, second.status) == (201, 200)
    assert first.headers["Location"] == f"{PATH}/a%2Fb%20c?state_key=s"
    assert api.call("GET", first.headers["Location"]).body == second.body
    assert (second.body["value"], second.body["created_at"]) == (2, first.body["created_at"])
    assert api.post(PATH, {"state_key": "other", "key": "a/b c", "value": 3}).status == 201
    assert [state["value"] for state in api.get(PATH, state_key="s").body["result"]] == [2]


def test_values_are_changed_and_removed_by_key(api: Caller) -> None:
    api.post(PATH, {"state_key": "s", "key": "k", "value": 1})
    path = f"{PATH}/k?state_key=s"

    assert api.patch(path, {"value": {"n": 2}}).body["value"] == {"n": 2}
    assert api.delete(path).body == {"id": "k"}
    assert [api.call(method, path, {"value": 1}).status for method in ("GET", "PATCH", "DELETE")] == [404] * 3


def test_state_key_is_required_everywhere(api: Caller) -> None:
    assert api.post(PATH, {}).paths == ["key", "state_key", "value"]
    assert api.get(PATH).paths == ["state_key"]
    calls = [api.call(method, f"{PATH}/k", {"value": 1}) for method in ("GET", "PATCH", "DELETE")]
    assert [call.paths for call in calls] == [["state_key"]] * 3
    assert api.patch(f"{PATH}/k?state_key=s", {}).paths == ["value"]


def test_strangers_neither_see_nor_replace_a_value(api: Caller, stranger: Caller) -> None:
    api.post(PATH, {"state_key": "s", "key": "k", "value": "ours"})

    assert stranger.get(f"{PATH}/k", state_key="s").status == 404
    assert stranger.delete(f"{PATH}/k?state_key=s").status == 404
    assert stranger.post(PATH, {"state_key": "s", "key": "k", "value": "theirs"}).status == 201
    assert api.get(f"{PATH}/k", state_key="s").body["value"] == "ours"
    assert stranger.get(PATH, state_key="s").body["result"][0]["value"] == "theirs"
