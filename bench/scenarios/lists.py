"""Lists at any depth: a million runs and ten million records, read page by page through the API."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
from sqlalchemy import Engine, event

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.services.catalog.tokens import TokenService
from app.services.reading.ports import LogFilters, RecordFilters
from app.store.catalog.tokens import TokenStore
from app.store.db import migrate, paging
from app.store.db.database import connect
from app.store.reading.account_log import LogReader
from app.store.reading.records import RecordReader
from app.store.runs.runs import RunStore
from bench.filling import FilledAccount, fill_account, fill_runs, settle
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import noise, percentile
from bench.scenario import Scenario
from bench.servers.running import running_gunicorn
from bench.wire import Call, Wire, load
from bench.workbench import Workbench

_RUNS: Final = 1_000_000
_RECORDS: Final = 10_000_000
_JOBS: Final = 20
_ACCOUNTS: Final = 50
_PARTS: Final = 10
_REQUESTS: Final = 400
_WARM_UP: Final = 40
_LONG_ARRAYS: Final = re.compile(r"\{[^{}]{100,}\}")
_LIMIT: Final = 100
"""Rows of a page: the API's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A database with years behind it."""

    url: str
    token: str
    environment_id: str
    job_ids: Sequence[str]
    big: Sequence[FilledAccount]
    """The account that holds half of all records, once for each run that brought some."""
    runs: int

    @property
    def account_id(self) -> str:
        """Name the big account."""
        return self.big[0].id

    @property
    def records(self) -> int:
        """Count the big account's records."""
        return sum(part.records for part in self.big)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list that is asked for: how a page at a random depth is named, and what reads it in the store."""

    name: str
    path: str
    query: Callable[[random.Random], dict[str, str]]
    read: Callable[[Engine, str | None], object]
    """Reads the page behind a cursor, for its query plan."""


def measure(workbench: Workbench) -> Measurement:
    """Fill a database of its own, serve it by the API's own command, and ask for pages at random depths."""
    installation = install_years(workbench, "bench_lists")
    settle(installation.url)
    listings = _listings(installation)
    environment = {**workbench.stack.environment, "DATABASE_URL": installation.url}
    with running_gunicorn("app.wsgi:app", environment, str(workbench.stack.data.run)) as api_url:
        figures = [_measured(workbench, api_url, installation, listing) for listing in listings]
    plans = {listing.name: _plan(installation, listing) for listing in listings}
    return Measurement(
        scenario="deep-lists",
        figures=figures,
        notes=[
            f"{installation.runs:,} runs, {_total(installation.url):,} records, half of them one account's",
            f"pages of {_LIMIT} rows at random depths, one request after the other",
        ],
        texts=plans,
    )


def install_years(workbench: Workbench, database: str) -> Installation:
    """Fill a database of one's own with a million runs and ten million records, or a part of that."""
    url = workbench.database(database)
    migrate.upgrade(url)
    engine = connect(url, pool_size=1)
    try:
        tokens = TokenStore(engine)
        environment_id = tokens.ensure_environment("bench")
        _, token = TokenService(tokens).create(environment_id, "bench")
    finally:
        engine.dispose()
    runs, records = workbench.effort.sized(_RUNS, least=2000), workbench.effort.sized(_RECORDS, least=2000)
    job_ids = [new_id() for _ in range(_JOBS)]
    with running_gunicorn(
        "app.wsgi:app", {**workbench.stack.environment, "DATABASE_URL": url}, str(workbench.stack.data.run)
    ) as api_url:
        account_ids = _accounts(api_url, token)
    fill_runs(url, environment_id, job_ids=job_ids, account_ids=account_ids, runs=runs)
    workbench.say(f"{runs:,} runs are there")
    big = fill_account(url, account_ids[0], records // 2, parts=_PARTS)
    for account_id in account_ids[1:]:
        fill_account(url, account_id, records // 2 // (_ACCOUNTS - 1))
    workbench.say(f"{records:,} records are there")
    return Installation(url=url, token=token, environment_id=environment_id, job_ids=job_ids, big=big, runs=runs)


def _accounts(api_url: str, token: str) -> list[str]:
    with Wire(api_url, token=token) as api:
        api.post("/integration", {"name": "acme", "config": {"base_url": "http://127.0.0.1:9"}})
        body = {"integration_name": "acme", "tenant_id": "bench", "context": {}}
        return [str(api.post("/integrated-account", body)["id"]) for _ in range(_ACCOUNTS)]


def _listings(at: Installation) -> list[Listing]:
    environment_id = EnvironmentId(at.environment_id)
    runs = _run_cursors(at)

    def run_list(name: str, **equal: Any) -> Listing:
        return Listing(
            name=name,
            path="/sync-job-run",
            query=lambda dice: {**equal, "next_cursor": dice.choice(runs)},
            read=lambda engine, cursor: RunStore(engine).list(
                environment_id, ListFilters(equal=equal, limit=_LIMIT, cursor=cursor)
            ),
        )

    return [
        run_list("runs"),
        run_list("runs of a job", sync_job_id=at.job_ids[0]),
        run_list("runs of an account", integrated_account_id=at.account_id),
        run_list("runs by a rare status", status="failed"),
        *_record_listings(at),
    ]


def _record_listings(at: Installation) -> list[Listing]:
    account, part, middle = {"integrated_account_id": at.account_id}, at.big[-1], str(at.records // 2)
    first_of_part = at.records - part.records
    return [
        Listing(
            name="records of an account",
            path="/record",
            query=lambda dice: {**account, "next_cursor": _record_cursor(dice.randrange(at.records))},
            read=lambda engine, cursor: RecordReader(engine).list(
                RecordFilters(integrated_account_id=at.account_id, cursor=cursor)
            ),
        ),
        Listing(
            name="records of a resource",
            path="/record",
            query=lambda dice: {
                **account,
                "resource": "tickets",
                "next_cursor": _record_cursor(dice.randrange(at.records)),
            },
            read=lambda engine, cursor: RecordReader(engine).list(
                RecordFilters(integrated_account_id=at.account_id, resource="tickets", cursor=cursor)
            ),
        ),
        Listing(
            name="records of a run",
            path="/record",
            query=lambda dice: {
                **account,
                "sync_job_run_id": part.run_id,
                "next_cursor": paging.encode_cursor(str(first_of_part + dice.randrange(part.records)), ""),
            },
            read=lambda engine, cursor: RecordReader(engine).list(
                RecordFilters(integrated_account_id=at.account_id, sync_job_run_id=part.run_id, cursor=cursor)
            ),
        ),
        Listing(
            name="an account's log",
            path="/record",
            query=lambda dice: {**account, "after_seq": str(dice.randrange(at.records))},
            read=lambda engine, _: LogReader(engine).read(
                LogFilters(integrated_account_id=at.account_id, after=int(middle))
            ),
        ),
    ]


def _record_cursor(number: int) -> str:
    return paging.encode_cursor("tickets", f"{number:09d}")


def _run_cursors(at: Installation) -> list[str]:
    """Name places all over the list of runs, the very last ones too."""
    query = "select min(created_at), max(created_at) from sync_job_run"
    with psycopg.connect(at.url) as connection:
        (oldest, newest) = connection.execute(query).fetchone() or (None, None)
    if oldest is None or newest is None:
        raise BenchError("there are no runs to list")
    dice, span = random.Random(1), (newest - oldest).total_seconds()
    depths = [*(dice.random() for _ in range(1000)), 0.0, 0.0001]
    moments = [(oldest + timedelta(seconds=depth * span)).isoformat() for depth in depths]
    return [paging.encode_cursor("-created_at", moment, new_id()) for moment in moments]


def _measured(workbench: Workbench, api_url: str, at: Installation, listing: Listing) -> Figure:
    dice = random.Random(listing.name)
    requests = _WARM_UP + workbench.effort.sized(_REQUESTS, least=100)
    paths = [f"{listing.path}?{urlencode(listing.query(dice))}" for _ in range(requests)]
    calls = [Call(method="GET", path=path) for path in paths]
    done = load(api_url, calls, connections=1, token=at.token)
    if not any(b'"created_at"' in answer for answer in done.answers):
        raise BenchError(f"{listing.name}: every page is empty")
    latencies = [latency * 1000 for latency in done.latencies][_WARM_UP:]
    halves = [percentile(half, 99) for half in (latencies[::2], latencies[1::2])]
    workbench.say(f"{listing.name}: p50 {median(latencies):.1f} ms, p99 {percentile(latencies, 99):.1f} ms")
    return Figure(
        name=f"{listing.name}, p99",
        value=percentile(latencies, 99),
        unit="ms",
        bar=at_most(30),
        samples={"ms": [round(latency, 2) for latency in latencies]},
        noise=noise(halves),
    )


def _plan(at: Installation, listing: Listing) -> str:
    """Show how Postgres answers a page in the middle of a list."""
    cursor = listing.query(random.Random(2)).get("next_cursor")
    engine = connect(at.url, pool_size=1)
    try:
        with _noted(engine) as statements:
            listing.read(engine, cursor)
        with engine.connect() as connection:
            plans = [
                connection.exec_driver_sql(f"explain (analyze, buffers) {statement}", parameters).scalars().all()
                for statement, parameters in statements
                if re.match(r"\s*select", statement, re.IGNORECASE)
            ]
    finally:
        engine.dispose()
    return "\n\n".join(_LONG_ARRAYS.sub("{…}", "\n".join(plan)) for plan in plans)


@contextmanager
def _noted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Note each statement that goes to Postgres."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _total(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        (records,) = connection.execute("select count(*) from record").fetchone() or (0,)
    return int(records)


SCENARIOS = (
    Scenario(
        name="deep-lists",
        what="GET /sync-job-run and GET /record at 1,000,000 runs and 10,000,000 records",
        bar="p99 under 30 ms at any page depth",
        measure=measure,
    ),
)
