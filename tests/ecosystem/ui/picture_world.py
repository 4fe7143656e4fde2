"""What the pictures of documents show: a day of a company that syncs helpdesks, CRMs and trackers of its customers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, insert, text

from app.client import ApiClient
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.store import tables
from tests.support.upstream import Gate, Upstream, reply
from tests.support.workspace import CURSOR_PAGES, Sync, child_of, listed

_JOBS: Final[Sequence[tuple[str, str, Sequence[str]]]] = (
    ("zendesk", "Tickets", ("organizations", "users", "tickets", "comments")),
    ("hubspot", "Contacts and deals", ("companies", "contacts", "deals")),
    ("jira", "Issues", ("projects", "issues")),
    ("salesforce", "Opportunities", ("accounts", "opportunities")),
)
_TENANTS: Final = ("globex", "initech", "umbrella", "hooli", "stark", "wayne")
_RUNS: Final = 420
_REVOKED: Final = "invalid_grant: the refresh token was revoked"


@dataclass(frozen=True, slots=True)
class PictureWorld:
    """The places that pictures are of."""

    account_id: str
    run_id: str
    """Of a live run, whose next request stands at the gate."""
    gate: Gate


@dataclass(frozen=True, slots=True)
class _Place:
    """A job with one of its accounts."""

    environment_id: str
    job: JsonObject
    account_id: str


def fill(api: ApiClient, upstream: Upstream, connection: Connection) -> PictureWorld:
    """Fill an environment: by the API what is defined, in tables the runs of a day; the live one is real."""
    dice = random.Random(7)
    places = [place for job in _JOBS[1:] for place in _define(api, *job)]
    helpdesk, live = _define_helpdesk(api, upstream)
    places.append(helpdesk)
    _write_runs(connection, places, dice)
    for place in places[:2]:
        change = "update integrated_account set status = 'needs_reauth', last_error = :told where id = :id"
        connection.execute(text(change), {"id": place.account_id, "told": _REVOKED})
    _define_others(api, helpdesk)
    connection.commit()
    live.run()
    gate = upstream.gate("/tickets", from_cursor="400")
    run_id = live.start()
    gate.wait_for_request()
    return PictureWorld(account_id=live.account_id, run_id=run_id, gate=gate)


def _define(api: ApiClient, name: str, label: str, resources: Sequence[str]) -> list[_Place]:
    api.post("/integration", {"name": name, "config": {"base_url": f"https://api.{name}.example", **CURSOR_PAGES}})
    job = api.post("/sync-job", {"integration_name": name, "label": label, "resources": [*map(listed, resources)]})
    accounts = [{"integration_name": name, "tenant_id": tenant, "context": {}} for tenant in _TENANTS]
    return [_Place(job["environment_id"], job, api.post("/integrated-account", one)["id"]) for one in accounts]


def _define_helpdesk(api: ApiClient, upstream: Upstream) -> tuple[_Place, Sync]:
    """Define what really runs, against an upstream that has a rate limit, and fails for one ticket."""
    _serve_helpdesk(upstream)
    name, label, _ = _JOBS[0]
    api.post("/integration", {"name": name, "config": {"base_url": upstream.url, **CURSOR_PAGES}})
    context: JsonObject = {"integration_name": name, "tenant_id": "globex", "context": {}}
    account = api.post("/integrated-account", context)
    comments = child_of("tickets", "comments", query={"ticket": "{{resources.tickets.id}}"})
    resources = [listed("organizations"), listed("users"), listed("tickets"), comments]
    job = api.post("/sync-job", {"integration_name": name, "label": label, "resources": resources})
    return _Place(job["environment_id"], job, account["id"]), Sync(api, account["id"], job["id"])


def _serve_helpdesk(upstream: Upstream) -> None:
    people = ("Ada Okafor", "Grace Lindqvist", "Chidi Moreau", "Ines Nakamura", "Hiro Petrova")
    subjects = ("Login fails after the update", "Invoice is wrong", "Export is slow", "Webhook is silent")
    upstream.lists("/organizations", [{"id": f"org-{n}", "name": f"Site {n}"} for n in range(1, 13)])
    upstream.lists("/users", [{"id": f"user-{n}", "name": people[n % 5], "active": True} for n in range(1, 241)])
    tickets = [{"id": f"ticket-{n}", "subject": subjects[n % 4], "priority": n % 3} for n in range(1, 601)]
    upstream.lists("/tickets", tickets)

    def answer(request: Any) -> Any:
        ticket = request.query.get("ticket", "")
        if ticket.endswith("77"):
            return reply({"error": {"message": "upstream timed out", "request": "9f2c"}}, 504)
        return reply({"data": [{"id": f"{ticket}-{n}", "body": "Thank you!"} for n in (1, 2)], "next_cursor": None})

    upstream.answers("/comments", answer)


def _define_others(api: ApiClient, place: _Place) -> None:
    """Define what triggers runs and takes records."""
    of = {"sync_job_id": place.job["id"], "integrated_account_id": place.account_id}
    for expression in ("*/15 * * * *", "0 6 * * 1-5"):
        api.post("/sync-job-cron-trigger", {**of, "cron_expression": expression, "enabled": True})
    config = {"host": "127.0.0.1", "port": 9, "database": "warehouse", "user": "ferryman", "password": "secret"}
    store = api.post("/datastore", {"type": "postgres", "label": "Warehouse", "config": config})
    api.post("/destination", {"datastore_id": store["id"], "label": "Warehouse"})
    api.post("/webhook", {"target_url": "https://hooks.globex.example/ferryman"})


def _write_runs(connection: Connection, places: Sequence[_Place], dice: random.Random) -> None:
    runs, resources = list[dict[str, Any]](), list[dict[str, Any]]()
    now = datetime.now(UTC)
    chosen = [(place, "failed", now - timedelta(minutes=5)) for place in places[:3]]
    for _ in range(_RUNS):
        # By day there is more to do than by night.
        ago = timedelta(hours=23.5 * dice.random() ** 1.3, minutes=2)
        place = dice.choice(places)
        status = dice.choices(("completed", "failed", "stopped"), (95, 3, 1))[0]
        chosen.append((place, status, now - ago))
    for place, status, ended in chosen:
        has_errors = status == "failed" or dice.random() < 0.12
        run = {**_build_run(place, status, ended, dice), "has_errors": has_errors}
        runs.append(run)
        resources += _build_resources(run, place, dice=dice)
    connection.execute(insert(tables.sync_job_run), runs)
    connection.execute(insert(tables.run_resource), resources)


def _build_run(place: _Place, status: str, ended: datetime, dice: random.Random) -> dict[str, Any]:
    started = ended - timedelta(seconds=dice.uniform(8, 500))
    return {
        "id": new_id(),
        "environment_id": place.environment_id,
        "sync_job_id": place.job["id"],
        "integrated_account_id": place.account_id,
        "status": status,
        "args": {},
        "args_hash": b"x",
        "resources": place.job["resources"],
        "sync_job": {"label": place.job["label"], "integration_name": place.job["integration_name"]},
        "queue": "daemon-group.default",
        "error": _tell_error(place) if status == "failed" else None,
        "created_at": started,
        "started_at": started,
        "finished_at": ended,
    }


def _tell_error(place: _Place) -> JsonObject:
    resource = place.job["resources"][-1]["resource"]
    return {"code": "http_504", "message": f"GET /{resource} was answered 504", "resource": resource}


def _build_resources(run: dict[str, Any], place: _Place, *, dice: random.Random) -> list[dict[str, Any]]:
    found = []
    for position, item in enumerate(place.job["resources"]):
        fetched = dice.randrange(40, 4000)
        counters = {"pages": fetched // 100 + 1, "fetched": fetched, "unchanged": fetched, "errors": 0}
        is_last = position == len(place.job["resources"]) - 1
        status = "failed" if is_last and run["status"] == "failed" else "completed"
        if is_last and run["has_errors"]:
            counters["errors"] = dice.randrange(1, 5)
        name = {"name": item["resource"], "resource": item["resource"], "method": "list", "persist": True}
        ids = {"id": new_id(), "run_id": run["id"], "position": position, "status": status}
        times = {"started_at": run["started_at"], "finished_at": run["finished_at"]}
        found.append({**name, **ids, **counters, **times})
    return found
