"""``/schema``: learned by daemons, shown and changed by callers."""

from functools import partial

import pytest
from sqlalchemy import Engine, text

from app.bootstrap.shared import SystemClock
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ColumnType, ResourceSchema
from app.engine.schemas.learning import learn
from app.store.schemas.schemas import SchemaStore
from tests.integration.api.calling import Caller


def add_key(key: str, schema: ResourceSchema) -> ResourceSchema:
    return learn(schema, {key: {ColumnType.TEXT}}, SystemClock().now())


@pytest.fixture
def schemas(engine: Engine) -> SchemaStore:
    return SchemaStore(engine)


@pytest.fixture
def made(api: Caller, schemas: SchemaStore, environment_id: EnvironmentId) -> JsonObject:
    for resource in ("contacts", "deals"):
        schemas.save(environment_id, "crm", resource, partial(add_key, "zip"))
    (found,) = api.get("/schema", resource="contacts").body["result"]
    schema: JsonObject = found
    return schema


def test_schema_is_listed_and_shown(api: Caller, made: JsonObject) -> None:
    (column,) = made["columns"]
    assert (column["name"], column["type"], column["is_declared"]) == ("zip", "text", False)
    assert (made["policy"], made["view"], made["left_out"]) == ("evolve", None, 0)
    assert [(entry["change"], entry["column"]) for entry in made["history"]] == [("added", "zip")]
    assert api.get(f"/schema/{made['id']}").body == made
    assert len(api.get("/schema", integration_name="crm").body["result"]) == 2
    assert api.get("/schema", integration_name="other").body["result"] == []
    assert len(api.get("/schema", limit="1").body["result"]) == 1


def test_schema_is_changed_and_remembers_it(api: Caller, made: JsonObject) -> None:
    columns = [{"name": "zip", "new_name": "postcode"}]

    changed = api.patch(f"/schema/{made['id']}", {"policy": "freeze", "columns": columns})

    assert changed.status == 200
    assert [(one["name"], one["key"], one["is_ignored"]) for one in changed.body["columns"]] == [
        ("zip", "zip", True),
        ("postcode", "zip", False),
    ]
    assert changed.body["policy"] == "freeze"
    assert {entry["change"] for entry in changed.body["history"]} == {"added", "ignored", "policy"}


def test_all_faults_of_a_change_are_told_at_once(api: Caller, made: JsonObject) -> None:
    columns = [{"name": "absent"}, {"name": "zip", "new_name": "Post Code"}]

    answer = api.patch(f"/schema/{made['id']}", {"policy": "odd", "columns": columns})

    assert answer.status == 400
    assert sorted(answer.paths) == ["columns.0.name", "columns.1.new_name", "policy"]
    assert api.get(f"/schema/{made['id']}").body == made


def test_unknown_schema_is_not_found(api: Caller) -> None:
    absent = "/schema/00000000-0000-4000-8000-000000000000"

    assert [api.get(absent).status, api.patch(absent, {"policy": "freeze"}).status] == [404, 404]


def test_new_columns_are_announced_where_that_is_asked_for(
    api: Caller, made: JsonObject, schemas: SchemaStore, environment_id: EnvironmentId, engine: Engine
) -> None:
    api.post("/webhook", {"target_url": "https://hook.test", "event_types": ["schema:changed"]})
    for key, policy in (("silent", "notify"), ("told", "evolve")):
        schemas.save(environment_id, "crm", "contacts", partial(add_key, key))
        api.patch(f"/schema/{made['id']}", {"policy": policy})
        schemas.save(environment_id, "crm", "contacts", partial(add_key, f"{key}_2"))

    with engine.connect() as connection:
        bodies = connection.execute(
            text(
                "select convert_from(body, 'UTF8')::jsonb -> 'payload' as payload from delivery d"
                " join webhook w on w.id = d.webhook_id"
                " where w.environment_id = :id and event = 'schema:changed' order by d.created_at, d.id"
            ),
            {"id": environment_id},
        )
        payloads = [row.payload for row in bodies]
    told = [change["column"] for payload in payloads for change in payload["changes"] if change["change"] == "added"]
    assert sorted(told) == ["silent_2", "told"]
    assert {(payload["integration_name"], payload["resource"]) for payload in payloads} == {("crm", "contacts")}
