"""What GET shows is a body for PATCH, and for POST where that changes what there is: nothing of it is unknown."""

import pytest
from sqlalchemy import Engine

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import World, furnished

STRICT = {"Prefer": "handling=strict"}
MOVING = {"updated_at", "version"}
PUT_AGAIN = ("environment-integration", "environment-unified-model", "sync-job-run-state")


@pytest.fixture
def world(api: Caller, environment_id: EnvironmentId, engine: Engine) -> World:
    return furnished(api, "mine", environment_id, engine)


def path_of(world: World, collection: str) -> str:
    query = f"?state_key={world.text('states')}" if collection == "sync-job-run-state" else ""
    return f"/{collection}/{world.ids[collection]}{query}"


def lasting(shown: JsonObject) -> JsonObject:
    return {name: value for name, value in shown.items() if name not in MOVING}


def test_every_object_is_taken_back_as_it_is_shown(api: Caller, world: World) -> None:
    paths = api.get("/openapi.json").body["paths"]
    changed = [path.removesuffix("/{id}") for path, methods in paths.items() if {"get", "patch"} <= methods.keys()]
    collections = [path.strip("/") for path in changed if "{" not in path and not path.endswith("/me")]

    for collection in collections:
        path = path_of(world, collection)
        shown = api.call("GET", path).body
        answer = api.call("PATCH", path, shown, headers=STRICT)
        assert (answer.status, lasting(answer.body)) == (200, lasting(shown)), (collection, answer.body)
        assert lasting(api.call("GET", path).body) == lasting(shown)

    assert len(collections) >= 13


@pytest.mark.parametrize("collection", PUT_AGAIN)
def test_what_is_sent_twice_is_taken_as_it_is_shown(api: Caller, world: World, collection: str) -> None:
    shown = api.call("GET", path_of(world, collection)).body
    state_key = {"state_key": world.text("states")} if collection == "sync-job-run-state" else {}

    put = api.post(f"/{collection}", {**shown, **state_key}, headers=STRICT)

    assert put.status in (200, 201), put.body
    assert lasting(put.body) == lasting(shown)
