"""The examples of ``/openapi.json`` are real: each request is sent, and answered as its example says."""

import json
import re

from flask import Flask

from app.api.documents.examples import examples
from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Caller

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_SECRET = re.compile(r'"(secret|token)": "[^"]+"')


def test_every_example_is_answered_as_it_says(app: Flask, api: Caller) -> None:
    places = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in app.test_client().get("/openapi.json").get_json()["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    made: dict[str, str] = {}

    for name, example in examples().items():
        method, path = places[name]
        sent = json.loads(_with_ids(json.dumps(example.get("request")), made))
        documented: JsonObject = example["answer"]
        answer = api.call(method, path.replace("{id}", made.get(documented.get("id", ""), "")), sent)
        assert answer.status < 300, (name, answer.body)
        made |= {documented["id"]: answer.body["id"]} if "id" in documented else {}
        assert _plain(answer.body) == _plain(documented), name
    assert len(examples()) > 10


def _with_ids(text: str, made: dict[str, str]) -> str:
    """Put the ids of what was made in place of the examples'."""
    return _UUID.sub(lambda found: made.get(found[0], found[0]), text)


def _plain(body: JSON) -> JSON:
    """Return an answer without what is new each time."""
    text = _SECRET.sub(r'"\1": "…"', json.dumps(body))
    return json.loads(_TIME.sub("now", _UUID.sub("id", text)))
