"""The dashboard at a million runs and ten million records: its pages, and the parts of them that renew themselves."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final
from urllib.parse import urlencode

import psycopg

from app.services.catalog.tokens import TokenService
from app.services.dashboard.sessions import SessionService
from app.store.catalog.tokens import TokenStore
from app.store.dashboard.sessions import SessionStore
from app.store.db.database import connect
from app.store.records.record_counts import RecordCounts
from bench.filling import fill_busy_run, fill_operated, settle
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import noise, percentile
from bench.scenario import Scenario
from bench.scenarios.lists import Installation, install_years
from bench.servers.running import running_gunicorn
from bench.wire import Call, Wire, load
from bench.workbench import Workbench

_UNITS: Final = 10_000
_OPERATED: Final = 200_000
_REQUESTS: Final = 100
_WARM_UP: Final = 10
_PAGE_MS: Final = 150.0
_PART_MS: Final = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """Things of which there is one each."""

    job_id: str
    webhook_id: str
    destination_id: str
    trigger_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A page, or a part of one, and the address of one look at it."""

    name: str
    path: Callable[[random.Random], str]
    bar_ms: float
    shows: bytes = b"<html"
    """What every answer holds."""


def measure(workbench: Workbench) -> Measurement:
    """Fill a database of its own, serve it by the API's own command, and look at screens one after the other."""
    installation = install_years(workbench, "bench_screens")
    busy_run = fill_busy_run(installation.url, installation.environment_id, units=workbench.effort.sized(_UNITS))
    operated = _operate(workbench, installation)
    _count_records(installation)
    settle(installation.url)
    screens = [*_list_screens(installation, busy_run), *_list_others(installation, operated)]
    cookie = _sign_in(installation)
    environment = {**workbench.stack.environment, "DATABASE_URL": installation.url}
    with running_gunicorn("app.wsgi:app", environment, str(workbench.stack.data.run)) as api_url:
        figures = [_look(workbench, api_url, cookie, screen) for screen in screens]
    return Measurement(
        scenario="dashboard",
        figures=figures,
        notes=[
            f"{installation.runs:,} runs; the run that is looked at has {_UNITS:,} units of work and as many errors",
            f"{workbench.effort.sized(_OPERATED):,} each of deliveries, audit entries and incidents",
            "one request after the other, each with other values",
        ],
    )


def _list_screens(at: Installation, busy_run: str) -> Sequence[Screen]:
    ended = _list_ended_runs(at)

    def runs(name: str, query: Callable[[random.Random], dict[str, str]]) -> Screen:
        return Screen(name=name, path=lambda dice: f"/ui/runs?{urlencode(query(dice))}", bar_ms=_PAGE_MS)

    def part(name: str, path: str) -> Screen:
        return Screen(name=name, path=lambda dice: path, bar_ms=_PART_MS, shows=b"<")

    return [
        Screen(name="overview", path=lambda dice: "/ui/", bar_ms=_PAGE_MS),
        Screen(name="fleet", path=lambda dice: "/ui/fleet", bar_ms=_PAGE_MS),
        runs("all runs", lambda dice: {}),
        runs("runs by status", lambda dice: {"status": dice.choice(["failed", "completed", "stopped"])}),
        runs("runs with errors", lambda dice: {"has_errors": "true", "status": dice.choice(["", "completed"])}),
        runs("runs by job", lambda dice: {"job": dice.choice(at.job_ids)}),
        runs("runs by job and status", lambda dice: {"job": dice.choice(at.job_ids), "status": "failed"}),
        runs("runs by account", lambda dice: {"account": at.account_id, "status": dice.choice(["", "failed"])}),
        runs("runs by tenant", lambda dice: {"tenant": dice.choice(["bench", "nobody"])}),
        runs("runs by common args", lambda dice: {"args": "plan=free"}),
        runs("runs by rare args", lambda dice: {"args": f"number={dice.randrange(at.runs)}"}),
        runs("runs by error code", lambda dice: {"error": dice.choice(["http_500", "http_501", "none"])}),
        runs("runs by time", lambda dice: _choose_day(dice, at)),
        runs("runs by end", lambda dice: _choose_hour(dice, at)),
        Screen(name="an ended run", path=lambda dice: f"/ui/runs/{dice.choice(ended)}", bar_ms=_PAGE_MS),
        Screen(name="a busy run", path=lambda dice: f"/ui/runs/{busy_run}", bar_ms=_PAGE_MS),
        part("part: an ended run", f"/ui/runs/{ended[0]}/live"),
        part("part: a busy run", f"/ui/runs/{busy_run}/live"),
    ]


def _list_others(at: Installation, one: Operated) -> Sequence[Screen]:
    account = f"/ui/accounts/{at.account_id}"

    def page(name: str, path: str) -> Screen:
        return Screen(name=name, path=lambda dice: path, bar_ms=_PAGE_MS)

    def part(name: str, path: str) -> Screen:
        return Screen(name=name, path=lambda dice: path, bar_ms=_PART_MS, shows=b"<")

    return [
        page("accounts", "/ui/accounts"),
        page("an account", account),
        page("records", f"{account}/records?resource=tickets"),
        Screen(
            name="a record",
            path=lambda dice: f"{account}/records?resource=tickets&record={dice.randrange(at.records) + 1:09d}",
            bar_ms=_PAGE_MS,
        ),
        page("a timeline", f"{account}/timeline"),
        page("jobs", "/ui/jobs"),
        page("a job", f"/ui/jobs/{one.job_id}"),
        page("triggers", "/ui/triggers"),
        page("a trigger", f"/ui/triggers/{one.trigger_id}"),
        page("webhooks", "/ui/webhooks"),
        page("a webhook", f"/ui/webhooks/{one.webhook_id}"),
        page("deliveries that failed", f"/ui/webhooks/{one.webhook_id}?status=dead_lettered"),
        page("destinations", "/ui/destinations"),
        page("a destination", f"/ui/destinations/{one.destination_id}"),
        page("incidents", "/ui/incidents"),
        page("open incidents", "/ui/incidents?is_open=true"),
        page("audit", "/ui/audit"),
        page("audit of an account", f"/ui/audit?integrated_account_id={at.account_id}"),
        page("bulk actions", "/ui/bulk-actions"),
        part("part: what needs attention", "/ui/overview/concerns"),
        part("part: what was done", "/ui/overview/work"),
        part("part: what is due", "/ui/overview/due"),
        part("part: the fleet", "/ui/fleet/board"),
        part("part: a webhook's backlog", f"/ui/webhooks/{one.webhook_id}/backlog"),
        part("part: a destination", f"/ui/destinations/{one.destination_id}/progress"),
        part("part: an account's limits", f"{account}/budget"),
    ]


def _operate(workbench: Workbench, at: Installation) -> Operated:
    """Create one of each thing by the API, and write what happened to it."""
    environment = {**workbench.stack.environment, "DATABASE_URL": at.url}
    with (
        running_gunicorn("app.wsgi:app", environment, str(workbench.stack.data.run)) as api_url,
        Wire(api_url, token=at.token) as api,
    ):

        def make(path: str, **body: object) -> str:
            return str(api.post(path, body)["id"])

        job_id = make("/sync-job", integration_name="acme", resources=[{"resource": "tickets", "method": "list"}])
        of_job = {"sync_job_id": job_id, "integrated_account_id": at.account_id}
        config = {"host": "db.example.com", "database": "d", "user": "u", "password": "p"}
        datastore_id = make("/datastore", type="postgres", label="bench", config=config)
        target = {"target_url": "https://people.example.com/told"}
        people_id = make("/notification-destination", type="webhook", config=target)
        made = Operated(
            job_id=job_id,
            webhook_id=make("/webhook", target_url="https://receiver.example.com/events"),
            destination_id=make("/destination", datastore_id=datastore_id, label="bench"),
            trigger_id=make("/sync-job-cron-trigger", **of_job, cron_expression="0 6 * * *", enabled=True),
        )
    ids = {"environment_id": at.environment_id, "account_id": at.account_id}
    rows = workbench.effort.sized(_OPERATED)
    fill_operated(at.url, **ids, webhook_id=made.webhook_id, people_id=people_id, rows=rows)
    return made


def _count_records(at: Installation) -> None:
    """Do what the leader does now and then."""
    engine = connect(at.url, pool_size=1)
    try:
        RecordCounts(engine).count(at.account_id)
    finally:
        engine.dispose()


def _choose_day(dice: random.Random, at: Installation) -> dict[str, str]:
    since = datetime.now(UTC) - timedelta(minutes=dice.randrange(at.runs))
    return {"since": since.isoformat(), "until": (since + timedelta(days=1)).isoformat()}


def _choose_hour(dice: random.Random, at: Installation) -> dict[str, str]:
    since = datetime.now(UTC) - timedelta(minutes=dice.randrange(at.runs))
    return {"finished_from": since.isoformat(), "finished_to": (since + timedelta(hours=1)).isoformat()}


def _list_ended_runs(at: Installation) -> list[str]:
    with psycopg.connect(at.url) as connection:
        rows = connection.execute("select id from sync_job_run where status = 'failed' limit 200").fetchall()
    if not rows:
        raise BenchError("there are no runs to look at")
    return [str(id) for (id,) in rows]


def _sign_in(at: Installation) -> str:
    """Return the header of somebody who is signed in."""
    engine = connect(at.url, pool_size=1)
    try:
        token = TokenService(TokenStore(engine)).authenticate(at.token)
        _, secret = SessionService(SessionStore(engine), session_seconds=24 * 3600.0).open(token)
    finally:
        engine.dispose()
    return f"Cookie: ferryman_session={secret}\r\n"


def _look(workbench: Workbench, api_url: str, cookie: str, screen: Screen) -> Figure:
    dice = random.Random(screen.name)
    requests = _WARM_UP + workbench.effort.sized(_REQUESTS, least=40)
    calls = [Call(method="GET", path=screen.path(dice), head=cookie) for _ in range(requests)]
    done = load(api_url, calls, connections=1)
    if not all(screen.shows in answer for answer in done.answers):
        raise BenchError(f"{screen.name}: an answer shows nothing")
    latencies = [latency * 1000 for latency in done.latencies][_WARM_UP:]
    halves = [percentile(half, 95) for half in (latencies[::2], latencies[1::2])]
    workbench.say(f"{screen.name}: p50 {median(latencies):.1f} ms, p95 {percentile(latencies, 95):.1f} ms")
    return Figure(
        name=f"{screen.name}, p95",
        value=percentile(latencies, 95),
        unit="ms",
        bar=at_most(screen.bar_ms),
        samples={"ms": [round(latency, 2) for latency in latencies]},
        noise=noise(halves),
    )


SCENARIOS = (
    Scenario(
        name="dashboard",
        what="the dashboard's pages and the parts that renew themselves at 1,000,000 runs and 10,000,000 records",
        bar="p95 under 150 ms for a page, 50 ms for a part",
        measure=measure,
    ),
)
