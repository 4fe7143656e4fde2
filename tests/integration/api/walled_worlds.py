"""An environment that holds one of everything, each with a text of its own that may be seen nowhere else."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Caller

NAMELESS: Final = "http://127.0.0.1:9"
"""Where nothing listens."""
DIRECT: Final = frozenset({"unified", "proxy", "custom"})
"""Collections whose calls go to an account's API."""
_NAMED: Final = {"model": "model", "resource": "resource", "path": "resource"}
"""Path parameters that are names, not ids."""


@dataclass
class World:
    """What one environment holds: ids and valid bodies by the collection that they belong to."""

    caller: Caller
    mark: str
    """Begins all of its texts; letters only."""
    environment_id: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    """By the path of the collection, such as ``webhook/deliveries``."""
    bodies: dict[str, JsonObject] = field(default_factory=dict)
    """Of POST, by the path of the operation."""

    def text(self, what: str) -> str:
        """Make a text that is this world's alone."""
        return f"{self.mark}-{what}"

    def make(self, collection: str, body: JsonObject) -> JsonObject:
        """Create an object."""
        answer = self.caller.post(f"/{collection}", body)
        assert answer.status in (200, 201), (collection, answer.body)
        self.bodies[f"/{collection}"] = body
        self.ids[collection] = answer.body.get("id", body.get("key"))
        made: JsonObject = answer.body
        return made

    @property
    def own_texts(self) -> set[str]:
        """Everything by which this world would be known elsewhere."""
        return {self.environment_id, *self.ids.values()} | set(self.planted)

    @property
    def planted(self) -> tuple[str, ...]:
        """The beginning of all its texts."""
        return (f"{self.mark}-",)


def furnished(caller: Caller, mark: str, environment_id: str, engine: Engine) -> World:
    """Fill an environment."""
    world = World(caller, mark, environment_id)
    world.ids["environment"] = environment_id
    _definitions(world)
    _unified(world)
    _runs(world)
    _written(world, engine)
    world.ids["audit-entry"] = caller.get("/audit-entry", limit=1).body["result"][0]["id"]
    return world


def _definitions(world: World) -> None:
    config = {
        "base_url": NAMELESS,
        "authorization": {"format": "bearer"},
        "headers": {"X-Api-Key": world.text("header")},
        "label": world.text("config"),
    }
    integration = world.make("integration", {"name": world.text("integration"), "config": config})
    override = {"headers": {"X-Region": world.text("region")}}
    world.make("environment-integration", {"integration_id": integration["id"], "override": override})
    context = {"api_key": world.text("secret"), "region": world.text("place")}
    account = {"integration_name": integration["name"], "tenant_id": world.text("tenant"), "context": context}
    made = world.make("integrated-account", account)
    # The account has made its tenant.
    world.ids["tenant"], world.bodies["/tenant"] = account["tenant_id"], {"id": world.text("customer")}
    world.bodies["/tenant/bulk"] = {"tenants": [{"id": world.text("customer")}]}
    world.bodies["/integrated-account/token"] = {"integrated_account_id": made["id"]}
    world.bodies["/integrated-account/run-post-install-actions"] = {"id": made["id"]}
    world.bodies["/integrated-account/bulk-delete"] = {"ids": [made["id"]]}
    world.bodies["/integrated-account/{id}/credentials"] = {"context": {"api_key": world.text("changed")}}
    resources = [{"resource": world.text("resource"), "method": "list", "persist": True}]
    job = {"integration_name": integration["name"], "label": world.text("job"), "resources": resources}
    world.make("sync-job", job)
    world.bodies["/sync-job/validate"] = job
    world.make("sync-job-template", {**job, "label": world.text("template")})
    world.bodies["/sync-job-template/{id}/sync-job"] = {"label": world.text("templated"), **job}
    webhook = world.make("webhook", {"target_url": f"https://{world.text('hook')}.example.com"})
    world.bodies["/webhook/test"] = {"id": webhook["id"]}
    place = {"host": f"{world.text('db')}.example.com", "database": world.text("base"), "user": world.text("user")}
    store = {"type": "postgres", "label": world.text("store"), "config": {**place, "password": world.text("password")}}
    datastore = world.make("datastore", store)
    world.make("destination", {"datastore_id": datastore["id"], "label": world.text("destination")})
    world.make("bulk-action", {"kind": "stop", "filters": {"tenant": world.text("customer")}})
    mail: JsonObject = {
        "to": [f"{world.text('to')}@example.com"],
        "host": "127.0.0.1",
        "port": 1,
        "from": "f@example.com",
    }
    told = world.make("notification-destination", {"type": "email", "label": world.text("people"), "config": mail})
    rule = {"event": "sync_job_run:failed", "label": world.text("rule"), "sync_job_id": world.ids["sync-job"]}
    world.make("notification-rule", {**rule, "notification_destination_id": told["id"]})
    world.make("api-token", {"name": world.text("token"), "role": "read"})


def _unified(world: World) -> None:
    name = world.text("model")
    model = world.make("unified-model", {"name": name, "resources": {"contacts": {"methods": ["list", "get"]}}})
    mapping = {
        "resource_name": "contacts",
        "method_name": "list",
        "integration_name": world.text("integration"),
        "config": {"resource": world.text("resource"), "response_mapping": f'{{"id": "{world.text("mapped")}"}}'},
    }
    world.make("unified-model-resource-method", {**mapping, "unified_model_id": model["id"]})
    override = {"resources": {"contacts": {"description": world.text("override")}}}
    installed = world.make("environment-unified-model", {"unified_model_id": model["id"], "override": override})
    layer = {**mapping, "environment_unified_model_id": installed["id"]}
    world.make("environment-unified-model-resource-method", layer)


def _runs(world: World) -> None:
    of = {"sync_job_id": world.ids["sync-job"], "integrated_account_id": world.ids["integrated-account"]}
    world.make("sync-job-run", {**of, "webhook_id": world.ids["webhook"]})
    world.make("sync-job-cron-trigger", {**of, "cron_expression": "0 6 * * *", "meta": {"note": world.text("trigger")}})
    value = {"note": world.text("state")}
    state = {"state_key": world.text("states"), "key": world.text("key"), "value": value}
    world.make("sync-job-run-state", state)
    world.bodies["/sync-job-run-state/{id}"] = {"value": value}
    world.bodies["/record/restore"] = {
        "integrated_account_id": of["integrated_account_id"],
        "sync_job_run_id": world.ids["sync-job-run"],
    }


def _written(world: World, engine: Engine) -> None:
    """Write down what only daemons write."""
    run_id, account_id = world.ids["sync-job-run"], world.ids["integrated-account"]
    rows: list[tuple[str, Mapping[str, Any]]] = [
        (
            "delivery",
            {
                "run_id": run_id,
                "webhook_id": world.ids["webhook"],
                "event": "sync_job_run:completed",
                "body": json.dumps({"note": world.text("delivery")}).encode(),
                "status": "delivered",
                "last_error": world.text("answer"),
            },
        ),
        ("run_error", {"run_id": run_id, "code": "http_500", "message": world.text("error"), "resource": "users"}),
        (
            "cron_trigger_fire",
            {
                "environment_id": world.environment_id,
                "sync_job_cron_trigger_id": world.ids["sync-job-cron-trigger"],
                "due_at": "2026-01-01T00:00:00Z",
                "error": world.text("fire"),
            },
        ),
    ]
    for (table, values), collection in zip(rows, ("webhook/deliveries", "sync-job-run/errors", "log"), strict=True):
        world.ids[collection] = new_id()
        _insert(engine, table, {"id": world.ids[collection], **values})
    record = {
        "integrated_account_id": account_id,
        "resource": world.text("resource"),
        "remote_id": world.text("remote"),
        "data": json.dumps({"name": world.text("record")}),
        "content_hash": b"",
        "sync_job_run_id": run_id,
    }
    world.ids["schema"] = new_id()
    column = {"name": "name", "key": world.text("key"), "type": "text", "is_declared": False, "is_ignored": False}
    schema = {
        "id": world.ids["schema"],
        "environment_id": world.environment_id,
        "integration_name": world.text("integration"),
        "resource": world.text("resource"),
        "columns": json.dumps([{**column, "first_seen_at": None, "last_seen_at": None}]),
    }
    _insert(engine, "resource_schema", schema)
    world.bodies["/schema/{id}"] = {"policy": "freeze"}
    world.ids["incident"] = new_id()
    incident = {
        "id": world.ids["incident"],
        "environment_id": world.environment_id,
        "notification_destination_id": world.ids["notification-destination"],
        "event": "sync_job_run:failed",
        "cause": world.text("cause"),
        "subject": world.text("subject"),
        "facts": json.dumps({"message": world.text("failure")}),
        "opened_at": "2026-01-01T00:00:00Z",
    }
    _insert(engine, "incident", incident)
    _insert(engine, "record", record)
    _insert(engine, "record", {**record, "remote_id": world.text("gone"), "deleted_at": "2026-01-01T00:00:00Z"})


def _insert(engine: Engine, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f":{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(text(f"insert into {table} ({names}) values ({places})"), dict(values))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    path_parameters: tuple[str, ...]
    query: Mapping[str, JsonObject]
    required: frozenset[str]
    """Of the query."""
    body: Mapping[str, JsonObject] | None
    """The properties of the body; None without one."""

    @property
    def collection(self) -> str:
        """Name the collection that the path is below, as ``World.ids`` does."""
        return self.path.strip("/").split("/", maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations_of(document: JsonObject) -> Iterator[Operation]:
    """Read every operation."""
    for path, methods in document["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method == "parameters":
                continue
            parameters = [*shared, *operation.get("parameters", [])]
            queries = [one for one in parameters if one["in"] == "query"]
            yield Operation(
                method=method.upper(),
                path=path,
                path_parameters=tuple(one["name"] for one in parameters if one["in"] == "path"),
                query={one["name"]: one.get("schema", {}) for one in queries},
                required=frozenset(one["name"] for one in queries if one.get("required")),
                body=_body_of(operation, document),
            )


def _body_of(operation: JsonObject, document: JsonObject) -> Mapping[str, JsonObject] | None:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    properties: Mapping[str, JsonObject] = schema.get("properties", {})
    return properties


def path_of(operation: Operation, world: World) -> str:
    """Return an operation's path with what a world has in the place of its parameters."""
    path = operation.path
    for parameter in operation.path_parameters:
        path = path.replace(f"{{{parameter}}}", _value_of(operation, parameter, world))
    return path


def query_of(operation: Operation, world: World) -> dict[str, str]:
    """Return the parameters that an operation can not do without."""
    known: dict[str, str] = {
        "integrated_account_id": world.ids["integrated-account"],
        "state_key": world.text("states"),
        "log_type": "sync_job_cron_trigger",
        "resource": world.text("resource"),
    }
    direct = operation.collection in DIRECT
    needed = operation.required | ({"integrated_account_id"} if direct else set())
    return {name: known[name] for name in needed if name in known}


def _value_of(operation: Operation, parameter: str, world: World) -> str:
    if parameter in _NAMED:
        return world.text(_NAMED[parameter])
    if parameter == "method":
        return "list"
    if parameter == "delivery_id":
        return world.ids["webhook/deliveries"]
    return world.ids.get(operation.collection, world.ids["sync-job-run"])


def texts_in(value: JSON) -> Iterator[str]:
    """List every text of a JSON value."""
    match value:
        case dict():
            for inner in value.values():
                yield from texts_in(inner)
        case list():
            for inner in value:
                yield from texts_in(inner)
        case str():
            yield value
