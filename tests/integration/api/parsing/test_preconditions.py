"""``If-Match``: a thing is changed and removed as its caller has seen it, or not at all."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, text

from app.api.resources.resource import Resource
from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.lists import RowVersion
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.integration.api.calling import Answer, Caller, Catalog
from tests.integration.api.walled_worlds import World, furnished
from tests.support.patience import wait_for

CHANGES: Mapping[str, JsonObject] = {
    "environment-integration": {"show_in_catalog": False},
    "environment-unified-model": {"override": {"name": "x"}},
    "environment-unified-model-resource-method": {"config": {"query": {"a": "b"}}},
    "integrated-account": {"tenant_id": "other"},
    "integration": {"category": "other"},
    "notification-destination": {"label": "other"},
    "notification-rule": {"label": "other"},
    "sync-job": {"label": "other"},
    "sync-job-cron-trigger": {"meta": {"other": 1}},
    "sync-job-run": {"status": "stopped"},
    "sync-job-run-state": {"value": "other"},
    "sync-job-template": {"label": "other"},
    "tenant": {"name": "other"},
    "unified-model": {"category": "other"},
    "unified-model-resource-method": {"config": {"query": {"a": "b"}}},
    "webhook": {"event_types": []},
}
"""A change of each thing that can be changed."""
REMOVED = (
    "api-token",
    "notification-rule",
    "notification-destination",
    "sync-job-cron-trigger",
    "sync-job-run-state",
    "sync-job-template",
    "environment-unified-model-resource-method",
    "environment-unified-model",
    "unified-model-resource-method",
    "unified-model",
    "webhook",
    "environment-integration",
    "sync-job",
    "integrated-account",
    "integration",
)
"""What can be removed at once, in an order in which nothing is missed; runs have to end before."""
LANDING = ("datastore", "destination")
"""Held by tests of their own."""
TABLES = {
    "unified-model-resource-method": "unified_model_method",
    "environment-unified-model-resource-method": "unified_model_method",
}


@pytest.fixture
def world(app: Flask, services: ApiServices, database_url: str) -> Iterator[World]:
    """An environment with one of everything."""
    engine = connect(database_url, pool_size=1)
    environment_id = TokenStore(engine).ensure_environment(new_id())
    _, secret = services.tokens.create(environment_id, "test")
    yield furnished(Caller(app.test_client(), secret), "mine", environment_id, engine)
    engine.dispose()


def path_of(world: World, collection: str) -> str:
    query = f"?state_key={world.text('states')}" if collection == "sync-job-run-state" else ""
    return f"/{collection}/{world.ids[collection]}{query}"


def matching(world: World, tag: str, method: str, path: str, body: object = None) -> Answer:
    return world.caller.call(method, path, body, headers={"If-Match": tag})


def tag_of(world: World, path: str) -> str:
    return world.caller.call("GET", path).headers["ETag"]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something once, between the comparison of a request and its write."""
    version = Resource._version

    def interrupt(act: Callable[[], object]) -> None:
        acts = [act]

        def slow(self: Resource, id: str) -> RowVersion | None:
            found = version(self, id)
            # The caller's tag is still true when it is compared: GET does not show what this changes.
            for one in acts:
                acts.remove(one)
                one()
            return found

        monkeypatch.setattr(Resource, "_version", slow)

    return interrupt


@pytest.mark.parametrize("collection", sorted(CHANGES))
def test_change_is_made_for_who_has_seen_the_present_state_and_refused_for_others(
    world: World, collection: str
) -> None:
    path, change = path_of(world, collection), CHANGES[collection]
    outdated = '"0123456789abcdef"'
    present = tag_of(world, path)

    refused = matching(world, outdated, "PATCH", path, change)
    unchanged = tag_of(world, path)
    changed = matching(world, f"{outdated}, {present}", "PATCH", path, change)
    again = matching(world, present, "PATCH", path, change)

    assert (refused.status, refused.body["error"], unchanged) == (412, "Precondition Failed", present)
    assert "read it again" in refused.body["message"]
    assert (changed.status, again.status) == (200, 412)
    assert changed.headers["ETag"] == tag_of(world, path) != present


@pytest.mark.parametrize("collection", sorted(CHANGES.keys() - {"sync-job-run"}))
def test_change_in_the_gap_between_comparison_and_write_is_not_lost(
    world: World, engine: Engine, interrupted: Callable[[Callable[[], object]], None], collection: str
) -> None:
    path, change = path_of(world, collection), CHANGES[collection]
    present = tag_of(world, path)
    interrupted(lambda: touch(engine, world, collection))

    answer = matching(world, present, "PATCH", path, change)

    assert answer.status == 412
    assert tag_of(world, path) == present


@pytest.mark.parametrize("collection", ["sync-job", "integrated-account", "integration", "sync-job-run-state"])
def test_change_that_has_to_wait_for_another_is_refused_once_that_is_written(
    world: World, engine: Engine, collection: str
) -> None:
    path, change, answers = path_of(world, collection), CHANGES[collection], list[Answer]()
    present = tag_of(world, path)
    caller = threading.Thread(target=lambda: answers.append(matching(world, present, "PATCH", path, change)))

    with engine.begin() as connection:
        write_anew(connection, world, collection)
        caller.start()
        waits = text("select exists (select from pg_locks where not granted)")
        wait_for(lambda: connection.execute(waits).scalar_one(), what="a wait for the row")
    caller.join()

    assert (answers[0].status, tag_of(world, path)) == (412, present)


def test_things_are_removed_as_they_were_seen_or_not_at_all(
    world: World, engine: Engine, interrupted: Callable[[Callable[[], object]], None]
) -> None:
    wrong = []
    for collection in REMOVED:
        path = path_of(world, collection)
        outdated = matching(world, '"x"', "DELETE", path)
        interrupted(lambda collection=collection: touch(engine, world, collection))  # type: ignore[misc]
        present = tag_of(world, path)
        overtaken = matching(world, present, "DELETE", path)
        removed = matching(world, present, "DELETE", path)
        gone = matching(world, "*", "DELETE", path)
        if [outdated.status, overtaken.status, removed.status, gone.status] != [412, 412, 200, 404]:
            wrong.append((collection, outdated.status, overtaken.body, removed.body, gone.body))

    assert wrong == []


def test_environment_is_renamed_as_it_was_seen(world: World) -> None:
    path, change = path_of(world, "environment"), {"name": f"other-{new_id()}"}

    refused = matching(world, '"x"', "PATCH", path, change)
    changed = matching(world, tag_of(world, path), "PATCH", path, change)

    assert (refused.status, changed.status) == (412, 200)


def test_tenant_that_no_account_has_is_removed_as_it_was_seen(world: World) -> None:
    path = f"/tenant/{world.caller.post('/tenant', {'id': 'alone'}).body['id']}"

    refused = matching(world, '"x"', "DELETE", path)
    removed = matching(world, tag_of(world, path), "DELETE", path)

    assert (refused.status, removed.status, world.caller.get(path).status) == (412, 200, 404)


def touch(engine: Engine, world: World, collection: str) -> None:
    """Write a row anew as it is, as somebody would who changes what is not shown."""
    with engine.begin() as connection:
        write_anew(connection, world, collection)


def write_anew(connection: Connection, world: World, collection: str) -> None:
    table = TABLES.get(collection, collection.replace("-", "_"))
    name = "key" if collection == "sync-job-run-state" else "id"
    given = {"value": world.ids[collection], "environment": world.environment_id}
    statement = f"update {table} set {name} = {name} where {name} = :value and environment_id = :environment"
    assert connection.execute(text(statement), given).rowcount == 1


def test_nobody_waits_for_a_run_to_compare_it(world: World) -> None:
    path = path_of(world, "sync-job-run")
    headers = {"If-Match": tag_of(world, path), "Prefer": "wait=60"}
    began = time.monotonic()

    answer = world.caller.call("PATCH", f"{path}?wait=60", {"status": "stopped"}, headers=headers)

    assert (answer.status, answer.body["status"]) == (200, "stopped")
    assert time.monotonic() - began < 30


def test_run_that_has_ended_meanwhile_is_not_removed_by_who_saw_it_live(world: World) -> None:
    path = path_of(world, "sync-job-run")
    live = tag_of(world, path)
    world.caller.patch(path, {"status": "stopped"})

    refused = matching(world, live, "DELETE", path)
    removed = matching(world, tag_of(world, path), "DELETE", path)

    assert (refused.status, removed.status, world.caller.get(path).status) == (412, 200, 404)


def test_ended_run_that_changes_in_the_gap_is_not_removed(
    world: World, engine: Engine, interrupted: Callable[[Callable[[], object]], None]
) -> None:
    path = path_of(world, "sync-job-run")
    world.caller.patch(path, {"status": "stopped"})
    present = tag_of(world, path)
    interrupted(lambda: touch(engine, world, "sync-job-run"))

    assert matching(world, present, "DELETE", path).status == 412
    assert world.caller.get(path).status == 200


@pytest.mark.parametrize(
    ("tag", "status"),
    [("*", 200), ("W/{tag}", 412), ("", 412), ("{bare}", 200), ('"other"', 412), ('"a", {tag}', 200)],
)
def test_tags_are_compared_as_http_has_it(api: Caller, catalog: Catalog, tag: str, status: int) -> None:
    path = f"/sync-job/{catalog.job['id']}"
    present = api.get(path).headers["ETag"]
    given = tag.replace("{tag}", present).replace("{bare}", present.strip('"'))

    answer = api.call("PATCH", path, {"label": "x"}, headers={"If-Match": given})

    assert answer.status == status


@pytest.mark.parametrize("tag", ["*", '"x"'])
@pytest.mark.parametrize("path", ["/sync-job/{id}", "/sync-job/none", "/sync-job-run-state/%00?state_key=x"])
def test_what_is_not_there_is_404_whatever_was_seen(api: Caller, tag: str, path: str) -> None:
    answer = api.call("DELETE", path.replace("{id}", new_id()), headers={"If-Match": tag})

    assert answer.status == 404


def test_things_of_strangers_match_nothing(api: Caller, stranger: Caller, catalog: Catalog) -> None:
    path = f"/sync-job/{catalog.job['id']}"
    tag = api.get(path).headers["ETag"]

    assert stranger.call("DELETE", path, headers={"If-Match": tag}).status == 404
    assert api.get(path).headers["ETag"] == tag


def test_a_large_thing_has_a_tag_too(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job/{catalog.job['id']}"
    changed = api.patch(path, {"args_schema": {"note": {"type": "string", "description": "x" * 300_000}}})

    assert changed.headers["ETag"] == api.get(path).headers["ETag"]
    assert "ETag" not in api.get("/sync-job").headers


def test_every_change_and_removal_takes_if_match(api: Caller) -> None:
    document = api.get("/openapi.json").body["paths"]

    taking = {
        (method, path.split("/")[1])
        for path, methods in document.items()
        for method in methods.keys() & {"patch", "delete"}
        if not path.startswith(("/unified/", "/proxy/", "/custom/"))
        and "If-Match" in {one["name"] for one in methods[method].get("parameters", [])}
        and "412" in methods[method]["responses"]
    }
    changeable = {("patch", collection) for collection in (*CHANGES, *LANDING, "environment", "schema")}
    assert taking == changeable | {
        ("delete", collection) for collection in (*REMOVED, *LANDING, "sync-job-run", "tenant")
    }
