"""What GET shows is a body for PATCH, and for POST where that changes what there is: nothing of it is unknown."""

import pytest
from sqlalchemy import Engine

from app.engine.json_types import JsonObject
from app.engine.objects import EnvironmentId
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import World, furnished

STRICT = {"Prefer": "handling=strict"}
MOVING = {"updated_at", "version"}
CHANGED = (
    "environment-integration",
    "environment-unified-model",
    "environment-unified-model-resource-method",
    "integrated-account",
    "integration",
    "sync-job",
    "sync-job-cron-trigger",
    "sync-job-run",
    "sync-job-run-state",
    "sync-job-template",
    "unified-model",
    "unified-model-resource-method",
    "webhook",
)
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
    for collection in CHANGED:
        path = path_of(world, collection)
        shown = api.call("GET", path).body

        changed = api.call("PATCH", path, shown, headers=STRICT)

        assert (changed.status, lasting(changed.body)) == (200, lasting(shown)), (collection, changed.body)
        assert lasting(api.call("GET", path).body) == lasting(shown)


def test_every_kind_that_can_be_changed_is_among_them(api: Caller) -> None:
    paths = api.get("/openapi.json").body["paths"]

    changed = {path.strip("/").removesuffix("/{id}") for path, methods in paths.items() if "patch" in methods}
    direct = {"unified/{model}/{resource}", "proxy/{resource}", "custom/{path}"}
    assert {one for one in changed if not one.startswith(("unified/", "proxy/", "custom/"))} - direct == {
        *CHANGED,
        "integrated-account/me",
        "integrated-account/{id}/credentials",
    }


@pytest.mark.parametrize("collection", PUT_AGAIN)
def test_what_is_sent_twice_is_taken_as_it_is_shown(api: Caller, world: World, collection: str) -> None:
    shown = api.call("GET", path_of(world, collection)).body
    state_key = {"state_key": world.text("states")} if collection == "sync-job-run-state" else {}

    put = api.post(f"/{collection}", {**shown, **state_key}, headers=STRICT)

    assert put.status in (200, 201), put.body
    assert lasting(put.body) == lasting(shown)
