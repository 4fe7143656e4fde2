"""One resource of a unified API, many pages: each record mapped to ten fields, beside the floor."""

from functools import partial
from statistics import median
from typing import Final

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from bench import checking, floor
from bench.customer import PAGES, Sync
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import World, new_world, ticket

_RECORDS: Final = 200_000
_MODEL: Final = "ticketing"
_RESOURCE: Final = "ticketing/tickets"
_MAPPING: Final = """
response.{
    "id": $string(id),
    "name": subject,
    "description": description,
    "status": status = "solved" ? "CLOSED" : "OPEN",
    "priority": $uppercase(priority),
    "contact": {"id": $string(requester.id), "email": requester.email},
    "tags": tags.{"name": $},
    "tag_count": $count(tags),
    "created_at": created_at,
    "updated_at": updated_at
}
"""


def measure_unified(workbench: Workbench) -> Measurement:
    """Sync a unified API's listing into Postgres, the floor, which maps nothing, beside it."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    floors, rates = in_turn(
        workbench.effort.rounds, partial(_floor_rate, workbench, world), partial(_unified_rate, workbench, world)
    )
    samples = {"floor, records/s": floors, "Ferryman, records/s": rates}
    return Measurement(
        scenario="unified",
        figures=[
            Figure(
                name="unified / floor",
                value=ratio(rates, floors),
                unit="×",
                bar=at_least(0.5),
                samples=samples,
                noise=noise(floors, rates),
            ),
            Figure(name="Ferryman", value=median(rates), unit="records/s"),
        ],
        notes=[f"{world.records:,} records, each mapped to ten fields by JSONata and compared with what it must be"],
    )


def mapped(id: int) -> JsonObject:
    """Derive from a ticket's id what the mapping must make of it."""
    raw = ticket(id)
    kept = {name: raw[name] for name in ("description", "created_at", "updated_at")}
    return {
        **kept,
        "id": str(id),
        "name": raw["subject"],
        "status": "CLOSED" if raw["status"] == "solved" else "OPEN",
        "priority": raw["priority"].upper(),
        "contact": {"id": str(raw["requester"]["id"]), "email": raw["requester"]["email"]},
        "tags": [{"name": tag} for tag in raw["tags"]],
        "tag_count": len(raw["tags"]),
    }


def _floor_rate(workbench: Workbench, world: World) -> float:
    workbench.settle_disk()
    run = floor.run_floor(workbench.url_of(world), workbench.floor_database_url)
    workbench.say(f"floor {run.rate:,.0f} records/s")
    return run.rate


def _unified_rate(workbench: Workbench, world: World) -> float:
    workbench.clear()
    sync = _sync(workbench, world)
    run = workbench.customer.run(sync)
    if (counted := run.counted(_RESOURCE, "created")) != world.records:
        raise BenchError(f"run {run.id} counts {counted} records as created, not {world.records}")
    checking.check_derived(workbench.stack.database_url, sync.account_id, _RESOURCE, mapped, expected=world.records)
    workbench.say(f"Ferryman {world.records / run.seconds:,.0f} records/s")
    return world.records / run.seconds


def _sync(workbench: Workbench, world: World) -> Sync:
    """Make an integration, its mapping, an account and a job over the model, which all rounds share."""
    api, name = workbench.customer.api, f"bench-{new_id()}"
    config = {"base_url": workbench.url_of(world), **PAGES}
    api.post("/integration", {"name": name, "config": config})
    models = api.get(f"/unified-model?name={_MODEL}")["result"]
    model = models[0] if models else api.post("/unified-model", {"name": _MODEL, "resources": {"tickets": {}}})
    place = {"resource_name": "tickets", "method_name": "list", "integration_name": name}
    mapping = {**place, "unified_model_id": model["id"], "config": {"response_mapping": _MAPPING}}
    api.post("/unified-model-resource-method", mapping)
    resources = [{"resource": _RESOURCE, "method": "list"}]
    job = api.post("/sync-job", {"integration_name": name, "resources": resources, "args_schema": {}})
    account = api.post("/integrated-account", {"integration_name": name, "tenant_id": "bench", "context": {}})
    return Sync(account_id=account["id"], job_id=job["id"])


SCENARIOS = (
    Scenario(
        name="unified",
        what="200,000 records in pages of 1,000, each mapped to ten fields, beside the floor",
        bar="at least 0.5 × the floor",
        measure=measure_unified,
    ),
)
