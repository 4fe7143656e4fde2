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
from bench.filling import fill_busy_run, settle
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import noise, percentile
from bench.scenario import Scenario
from bench.scenarios.lists import Installation, install_years
from bench.servers.running import running_gunicorn
from bench.wire import Call, load
from bench.workbench import Workbench

_UNITS: Final = 10_000
_REQUESTS: Final = 100
_WARM_UP: Final = 10
_PAGE_MS: Final = 150.0
_PART_MS: Final = 50.0


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
    settle(installation.url)
    screens = _list_screens(installation, busy_run)
    cookie = _sign_in(installation)
    environment = {**workbench.stack.environment, "DATABASE_URL": installation.url}
    with running_gunicorn("app.wsgi:app", environment, str(workbench.stack.data.run)) as api_url:
        figures = [_look(workbench, api_url, cookie, screen) for screen in screens]
    return Measurement(
        scenario="dashboard",
        figures=figures,
        notes=[
            f"{installation.runs:,} runs; the run that is looked at has {_UNITS:,} units of work and as many errors",
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
