"""A tenant whose schemas take as long as they can, beside one who only wants to be served."""

import threading
import time
from collections.abc import Callable

import pytest
from flask import Flask

from app.api.resources.services import ApiServices
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from tests.integration.api.calling import Caller, Catalog

ATTACKERS = 6
AT_MOST_SECONDS = 2.0

DOUBLED: JsonObject = {f"a{depth}": {"allOf": [{"$ref": f"#/$defs/a{depth + 1}"}] * 2} for depth in range(40)}
DOUBLING: JsonObject = {"type": "object", "$ref": "#/$defs/a0", "$defs": {**DOUBLED, "a40": {}}}


def schema(x: JSON) -> JsonObject:
    return {"type": "object", "properties": {"x": x}, "$defs": DOUBLING["$defs"]}


@pytest.mark.parametrize(
    ("args_schema", "x"),
    [
        (schema({"pattern": "^(a+)+$"}), "a" * 40 + "!"),
        (schema({"items": {"pattern": "(a?b?){900}Q"}}), ["ab" * 900] * 50),
        (schema({"$ref": "#/$defs/a0"}), 1),
        (schema({"uniqueItems": True}), [{"a": place} for place in range(30_000)]),
    ],
    ids=["backtracking", "costly-pattern", "doubling", "unique"],
)
def test_runs_of_one_tenant_do_not_hold_up_another(
    app: Flask,
    services: ApiServices,
    environment_id: EnvironmentId,
    api: Caller,
    catalog: Catalog,
    stranger: Caller,
    args_schema: JsonObject,
    x: JSON,
) -> None:
    api.patch(f"/sync-job/{catalog.job['id']}", {"args_schema": args_schema})
    _, secret = services.tokens.create(environment_id, "attack")

    def attack() -> None:
        Caller(app.test_client(), secret).post("/sync-job-run", {**catalog.run_body, "args": {"x": x}})

    assert slowest_beside(attack, stranger) < AT_MOST_SECONDS


def test_a_schema_that_is_only_tried_does_not_hold_up_another(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, catalog: Catalog, stranger: Caller
) -> None:
    _, secret = services.tokens.create(environment_id, "attack")
    body = {"integration_name": "acme", "resources": [], "args_schema": DOUBLING}

    def attack() -> None:
        Caller(app.test_client(), secret).post("/sync-job/validate", body)

    assert slowest_beside(attack, stranger) < AT_MOST_SECONDS


def slowest_beside(attack: Callable[[], None], stranger: Caller) -> float:
    """Return the time of the stranger's slowest request during the attack, and of at least one."""
    attackers = [threading.Thread(target=attack, daemon=True) for _ in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    slowest, ends_at = 0.0, time.monotonic() + 90
    while True:
        before = time.monotonic()
        assert stranger.get("/sync-job-run").status == 200
        slowest = max(slowest, time.monotonic() - before)
        if not any(attacker.is_alive() for attacker in attackers):
            return slowest
        assert time.monotonic() < ends_at
