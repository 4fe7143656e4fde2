"""Every route that changes something leaves an entry with its name, or is listed here with the reason why not."""

from collections.abc import Mapping
from typing import Final

from flask import Flask
from sqlalchemy import Engine

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.store.catalog.tokens import TokenStore
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import Operation, World, furnished, operations_of, path_of, query_of

_CALL: Final = "calls an account's API: the log of direct calls has it"
UNAUDITED: Final[Mapping[str, str]] = {
    "POST /sync-job/validate": "changes nothing",
    "POST /webhook/test": "changes nothing",
    "POST /datastore/{id}/test": "changes nothing",
    "POST /notification-destination/{id}/test": "changes nothing",
    "POST /datastore/{id}/test/{method}": "changes nothing",
    "POST /destination/{id}/verify": "changes nothing",
    "POST /integrated-account/run-post-install-actions": "is always refused",
    "DELETE /integrated-account/{id}/budget": "needs Redis: test_audit_notes",
    "POST /integrated-account/refresh-credentials": "needs a token endpoint: test_refreshed_credentials",
    "PATCH /integrated-account/me": "needs the token of an account: test_audit_log",
}
CHANGES: Final[Mapping[str, JsonObject]] = {
    "PATCH /integration/{id}": {"is_beta": True},
    "PATCH /environment-integration/{id}": {"show_in_catalog": False},
    "PATCH /integrated-account/{id}": {"unified_model_override": {"a": {}}},
    "PATCH /tenant/{id}": {"name": "renamed"},
    "PATCH /sync-job/{id}": {"label": "renamed"},
    "PATCH /sync-job-template/{id}": {"label": "renamed"},
    "PATCH /sync-job-run/{id}": {"status": "stopped"},
    "PATCH /sync-job-run-state/{id}": {"value": 1},
    "PATCH /sync-job-cron-trigger/{id}": {"cron_expression": "0 7 * * *"},
    "PATCH /webhook/{id}": {"is_active": False},
    "PATCH /datastore/{id}": {"label": "renamed"},
    "PATCH /destination/{id}": {"label": "renamed"},
    "PATCH /notification-destination/{id}": {"label": "renamed"},
    "PATCH /notification-rule/{id}": {"label": "renamed"},
    "PATCH /environment/{id}": {"name": f"renamed-{new_id()}"},
    "PATCH /unified-model/{id}": {"description": "renamed"},
    "PATCH /environment-unified-model/{id}": {"override": {}},
    "PATCH /unified-model-resource-method/{id}": {"config": {"resource": "other"}},
    "PATCH /environment-unified-model-resource-method/{id}": {"config": {"resource": "other"}},
    "POST /webhook/{id}/rotate-secret": {},
    "POST /sync-job-run/{id}/resume": {},
    "POST /destination/{id}/backfill": {},
    "POST /integrated-account/restore": {},
}
LAST: Final = (
    "POST /bulk-action/{id}/cancel",
    "POST /integrated-account/bulk-delete",
    "POST /integrated-account/restore",
    "DELETE /record",
    "DELETE /environment-unified-model-resource-method/{id}",
    "DELETE /environment-unified-model/{id}",
    "DELETE /unified-model-resource-method/{id}",
    "DELETE /unified-model/{id}",
    "DELETE /sync-job-cron-trigger/{id}",
    "DELETE /sync-job-run-state/{id}",
    "DELETE /sync-job-run/{id}",
    "DELETE /notification-rule/{id}",
    "DELETE /notification-destination/{id}",
    "DELETE /destination/{id}",
    "DELETE /datastore/{id}",
    "DELETE /sync-job-template/{id}",
    "DELETE /sync-job/{id}",
    "DELETE /webhook/{id}",
    "DELETE /environment-integration/{id}",
    "DELETE /integrated-account/{id}",
    "DELETE /tenant/{id}",
    "DELETE /integration/{id}",
    "DELETE /api-token/{id}",
)
"""What takes away what others need, in this order."""


def _call(world: World, operation: Operation) -> list[object]:
    """Change something of a world's own; return what went wrong."""
    body = CHANGES.get(str(operation), world.bodies.get(operation.path, {}))
    if str(operation) == "POST /integrated-account/restore":
        body = {"id": world.ids["integrated-account"]}
    sent = None if operation.method == "DELETE" else body
    query = query_of(operation, world)
    answer = world.caller.call(operation.method, path_of(operation, world), sent, query_string=query)
    return [] if answer.status < 300 else [str(operation), answer.body]


def test_every_route_that_changes_something_is_in_the_log(app: Flask, services: ApiServices, engine: Engine) -> None:
    environment_id = TokenStore(engine).ensure_environment(new_id())
    _, secret = services.tokens.create(environment_id, "walker")
    world = furnished(Caller(app.test_client(), secret), f"walk{new_id()}", environment_id, engine)
    document = app.test_client().get("/openapi.json").get_json()
    found = {str(one): one for one in operations_of(document) if one.method != "GET"}
    calls = {name for name, one in found.items() if one.collection in ("unified", "proxy", "custom")}
    changing = set(found) - calls - set(UNAUDITED)
    done = {name for name in changing if name == f"POST /{found[name].collection}"}
    first = sorted(changing - done - set(LAST), key=lambda name: (not name.startswith("PATCH"), name))
    # The others made what there is.
    world.bodies["/tenant"] = {"id": world.text("another")}
    wrong = [_call(world, found[name]) for name in (*first, *LAST, "POST /tenant")]

    assert [one for one in wrong if one] == []
    entries = world.caller.get("/audit-entry", limit=1000).body["result"]
    audited = {entry["operation"].replace("<", "{").replace(">", "}") for entry in entries if entry["operation"]}
    assert changing - audited == set()
    assert set(UNAUDITED) <= set(found)
    assert {entry["actor_name"] for entry in entries if entry["actor_kind"] == "token"} == {"walker"}
