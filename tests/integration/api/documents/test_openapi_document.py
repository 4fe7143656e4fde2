"""``/openapi.json`` says what generators of clients need, of every operation and every value."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from app.engine.json_types import JSON, JsonObject

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def document(app: Flask) -> JsonObject:
    found: JsonObject = app.test_client().get("/openapi.json").get_json()
    return found


def operations(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def values(value: JSON, at: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Yield every object of the document but examples, with where it stands."""
    match value:
        case dict():
            yield at, value
            for name, one in value.items():
                if name not in ("example", "examples", "enum", "default", "required"):
                    yield from values(one, f"{at}/{name}")
        case list():
            for position, one in enumerate(value):
                yield from values(one, f"{at}/{position}")


def test_it_tells_who_made_it_and_what_it_is(document: JsonObject) -> None:
    info = document["info"]

    assert info["license"]["identifier"] == "Apache-2.0"
    assert info["contact"]["name"]
    assert "POST /sync-job-run" in info["description"]
    assert [one["url"] for one in document["servers"]] == ["http://localhost"]
    assert all(tag["description"] for tag in document["tags"])


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(document: JsonObject) -> None:
    found = dict(operations(document))

    ids = {one["operationId"] for one in found.values()}
    assert len(ids) == len(found)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z0-9]*)+", id) for id in ids), ids
    assert {"listSyncJobRuns", "createSyncJobRun", "resumeSyncJobRun", "getIntegratedAccount"} <= ids
    for name, one in found.items():
        assert 0 < len(one["summary"]) <= 140, name
        assert f"`{one['x-role']}`" in one["description"], name


def test_nothing_of_python_or_rst_is_in_it(document: JsonObject) -> None:
    texts = [
        (at, text)
        for at, value in values(document)
        for text in (value.get(name) for name in ("summary", "description", "pattern"))
        if isinstance(text, str)
    ]

    assert [one for one in texts if "``" in one[1] or r"\Z" in one[1]] == []
    assert len(texts) > 500


def test_arrays_and_objects_say_what_they_hold(document: JsonObject) -> None:
    schemas = [(at, value) for at, value in values(document) if "type" in value and not at.endswith("/properties")]

    arrays = [at for at, value in schemas if "array" in value["type"] and "items" not in value]
    objects = [
        at
        for at, value in schemas
        if "object" in value["type"] and not {"properties", "additionalProperties"} & {*value}
    ]
    assert arrays == []
    assert objects == []


def test_what_may_be_null_is_a_type_among_others(document: JsonObject) -> None:
    odd = [at for at, value in values(document) if "type" not in value and None in (value.get("enum") or ())]

    assert odd == []
    assert document["components"]["schemas"]["NewRun"]["properties"]["force"]["type"] == ["boolean", "null"]


def test_answers_say_which_fields_they_always_have(document: JsonObject) -> None:
    schemas = document["components"]["schemas"]

    assert {"id", "status", "resource_stats", "error"} <= {*schemas["Run"]["required"]}
    assert "warnings" not in schemas["Job"]["required"]
    assert "required" not in schemas["LogEntry"]
