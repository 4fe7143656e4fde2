"""Environments are walls: every operation, called with what belongs to another environment, finds nothing of it."""

import json
import string
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.api.resources.services import ApiServices
from app.engine.ids import new_id, parse_id
from app.engine.json_types import JSON, JsonObject
from app.engine.logs.entries import LogType
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.integration.api.calling import Answer, Caller
from tests.integration.api.walled_worlds import Operation, World, furnished, operations_of

OPEN = {"/healthz", "/openapi.json", "/docs", "/ping"}
SHARED = {"daemon"}
"""Daemons serve all environments: they are shown to everyone, with nothing of any environment (docs/security.md)."""
NAMED = {"model": "model", "resource": "resource", "path": "resource"}
DIRECT = {"unified", "proxy", "custom"}
"""Path parameters that are names, not ids."""


@pytest.fixture(scope="module")
def worlds(app: Flask, services: ApiServices, database_url: str) -> Iterator[tuple[World, World]]:
    """A furnished environment and its furnished neighbour."""
    engine = connect(database_url, pool_size=1)
    made = [_world(app, services, engine, mark) for mark in ("mine", "theirs")]
    yield made[0], made[1]
    engine.dispose()


def _world(app: Flask, services: ApiServices, engine: Engine, name: str) -> World:
    letters = "".join(letter for letter in new_id() if letter in string.ascii_letters)
    environment_id = TokenStore(engine).ensure_environment(new_id())
    _, secret = services.tokens.create(environment_id, f"{name}{letters}-token")
    return furnished(Caller(app.test_client(), secret), f"{name}{letters}", environment_id, engine)


@pytest.fixture(scope="module")
def operations(app: Flask) -> list[Operation]:
    document = app.test_client().get("/openapi.json").get_json()
    return [one for one in operations_of(document) if one.path not in OPEN]


def test_paths_that_name_what_others_have_lead_nowhere(
    worlds: tuple[World, World], operations: list[Operation]
) -> None:
    mine, theirs = worlds
    before = _shown(theirs, operations)
    wrong = []
    for operation in operations:
        if not operation.path_parameters or operation.collection in SHARED:
            continue
        path, query = _path(operation, theirs), _own_query(operation, mine)
        if operation.collection in ("proxy", "custom"):
            # Their paths name what an account's API has, whoever's that is: the account is the wall.
            query["integrated_account_id"] = theirs.ids["integrated-account"]
        answer = _call(mine, operation, path, mine.bodies.get(operation.path, {}), query)
        if answer.status != 404 or _leaks(answer, theirs, sent=path + json.dumps(query)):
            wrong.append((str(operation), answer.status, answer.body))

    assert wrong == []
    assert _shown(theirs, operations) == before


def test_bodies_that_name_what_others_have_are_refused(
    worlds: tuple[World, World], operations: list[Operation]
) -> None:
    mine, theirs = worlds
    before, wrong, tried = _shown(theirs, operations), [], 0
    for operation in operations:
        if operation.method == "GET":
            continue
        for field, body in _with_foreign_ids(mine.bodies.get(operation.path, {}), mine, theirs):
            tried += 1
            answer = _call(mine, operation, _path(operation, mine), body, _own_query(operation, mine))
            if answer.body == {"restored": 0}:
                continue  # the run narrows down which of the caller's own records come back
            if answer.status not in (400, 404) or _leaks(answer, theirs, sent=json.dumps(body)):
                wrong.append((str(operation), field, answer.status, answer.body))

    assert wrong == []
    assert tried >= 10
    assert _shown(theirs, operations) == before


def test_lists_narrowed_to_what_others_have_are_empty(worlds: tuple[World, World], operations: list[Operation]) -> None:
    mine, theirs = worlds
    wrong, tried = [], 0
    for operation in operations:
        if operation.method != "GET" or operation.collection in SHARED:
            continue
        for name in operation.query:
            for value in _foreign_values(name, theirs):
                tried += 1
                query = {**_own_query(operation, mine), name: value}
                answer = _call(mine, operation, _path(operation, mine), None, query)
                found = answer.status == 200 and answer.body.get("result")
                if answer.status >= 500 or (found and _is_filter(name)) or _leaks(answer, theirs, sent=value):
                    wrong.append((str(operation), name, answer.status, answer.body))

    assert wrong == []
    assert tried >= 20


@pytest.mark.parametrize("kind", [str(kind) for kind in LogType])
def test_log_of_every_kind_is_the_callers_own(worlds: tuple[World, World], kind: str) -> None:
    mine, theirs = worlds
    for world in worlds:
        query = {"integrated_account_id": world.ids["integrated-account"]}
        world.caller.get(f"/proxy/{world.text('resource')}/1", **query)
    whole = mine.caller.get("/log", log_type=kind).body
    narrowing = {"webhook_id": "webhook", "sync_job_run_id": "sync-job-run", "sync_job_id": "sync-job"}
    narrowing |= {"integrated_account_id": "integrated-account", "sync_job_cron_trigger_id": "sync-job-cron-trigger"}

    assert {entry["environment_id"] for entry in whole["result"]} == {mine.environment_id}
    if kind != LogType.DIRECT_CALLS:
        # What somebody calls in vain is told to nobody else.
        assert _leaks_of_text(json.dumps(whole), theirs) == []
    for name, collection in narrowing.items():
        answer = mine.caller.get("/log", log_type=kind, **{name: theirs.ids[collection]})
        assert answer.body.get("result", []) == [], (name, answer.body)


def test_what_is_shown_without_any_hint_is_the_callers_own(
    worlds: tuple[World, World], operations: list[Operation]
) -> None:
    mine, theirs = worlds

    assert _leaks_of_text(_shown(mine, operations), theirs) == []
    assert _leaks_of_text(_shown(theirs, operations), mine) == []
    assert mine.mark in _shown(mine, operations)


def test_metrics_and_health_tell_nothing_of_any_environment(app: Flask, worlds: tuple[World, World]) -> None:
    for path in ("/healthz", "/metrics"):
        text = app.test_client().get(path).get_data(as_text=True)
        assert [_leaks_of_text(text, world) for world in worlds] == [[], []]


def _shown(world: World, operations: list[Operation]) -> str:
    """Everything that the world's own caller sees of it by reading, but for what tells when something was used."""
    shown = []
    for operation in operations:
        if operation.method != "GET" or operation.collection in {*SHARED, *DIRECT, "api-token"}:
            continue
        if "webhook/{" in operation.path.replace("webhook/{id}/", "webhook/{") and "deliveries" in operation.path:
            continue
        answer = _call(world, operation, _path(operation, world), None, _own_query(operation, world))
        assert answer.status in (200, 404), (str(operation), answer.body)
        shown.append({str(operation): answer.body})
    return json.dumps(shown, sort_keys=True)


def _path(operation: Operation, world: World) -> str:
    path = operation.path
    for parameter in operation.path_parameters:
        path = path.replace(f"{{{parameter}}}", _value_of(operation, parameter, world))
    return path


def _value_of(operation: Operation, parameter: str, world: World) -> str:
    if parameter in NAMED:
        return world.text(NAMED[parameter])
    if parameter == "method":
        return "list"
    if parameter == "delivery_id":
        return world.ids["webhook/deliveries"]
    return world.ids.get(operation.collection, world.ids["sync-job-run"])


def _own_query(operation: Operation, world: World) -> dict[str, str]:
    """What an operation can not do without."""
    known: dict[str, str] = {
        "integrated_account_id": world.ids["integrated-account"],
        "state_key": world.text("states"),
        "log_type": "sync_job_cron_trigger",
        "resource": world.text("resource"),
    }
    direct = operation.collection in DIRECT
    needed = operation.required | ({"integrated_account_id"} if direct else set())
    return {name: known[name] for name in needed if name in known}


def _with_foreign_ids(body: JsonObject, mine: World, theirs: World) -> Iterator[tuple[str, JsonObject]]:
    """Yield the body once for each id in it, with the neighbour's in its place."""
    foreign = {mine.ids[name]: theirs.ids[name] for name in mine.ids if parse_id(mine.ids[name])}
    for field, value in body.items():
        if isinstance(value, str) and value in foreign:
            yield field, {**body, field: foreign[value]}
        if isinstance(value, list) and (listed := [one for one in value if isinstance(one, str) and one in foreign]):
            yield field, {**body, field: [*value, *(foreign[one] for one in listed)]}


def _foreign_values(name: str, theirs: World) -> list[str]:
    ids = {collection.replace("-", "_"): id for collection, id in theirs.ids.items()}
    wanted = name.partition("[")[0].removesuffix("_id")
    if name.partition("[")[0].endswith("_id") and wanted in ids:
        return [ids[wanted]]
    texts = {"state_key": "states", "integration_name": "integration", "tenant_id": "tenant", "label": "job"}
    return [theirs.text(texts[name])] if name in texts else []


def _is_filter(name: str) -> bool:
    """An environment is the token's, whatever the query says of it: the official SDKs send it along."""
    return name != "environment_id"


def _call(world: World, operation: Operation, path: str, body: JSON, query: dict[str, str]) -> Answer:
    sent = body if operation.method in ("POST", "PATCH", "PUT") else None
    return world.caller.call(operation.method, path, sent, query_string=query)


def _leaks(answer: Answer, theirs: World, *, sent: str) -> list[str]:
    """Find texts of the neighbour's that the caller has not sent."""
    return [text for text in _leaks_of_text(json.dumps(answer.body), theirs) if text not in sent]


def _leaks_of_text(shown: str, world: World) -> list[str]:
    return [text for text in world.own_texts if text in shown]
