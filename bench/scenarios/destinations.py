"""Tables of a destination, written from the log: beside a bare loop, and how soon a change is there."""

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import psycopg

from app.client import ApiClient
from bench.filling import fill_account
from bench.measurement import BenchError, Figure, Measurement, at_least, at_most
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.servers.target_postgres import TargetPostgres, running_target
from bench.table_floor import run_table_floor
from bench.workbench import Workbench
from bench.worlds import new_world

_RECORDS: Final = 200_000
_CHANGES: Final = 20
_END_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.05
_WRITTEN: Final = "select coalesce(sum(cursor), 0) from destination_cursor where destination_id = %s"
_CHANGE: Final = """
    with log as (
        update account_log set last_sequence = last_sequence + 1 where integrated_account_id = %(account_id)s
     returning last_sequence)
    update record set sequence = log.last_sequence, updated_at = now() from log
     where integrated_account_id = %(account_id)s and resource = 'tickets' and remote_id = %(id)s
 returning record.sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    workbench: Workbench
    target: TargetPostgres
    account_id: str
    records: int

    @property
    def client(self) -> ApiClient:
        return ApiClient(self.workbench.stack.api_url, self.workbench.stack.token)


def measure(workbench: Workbench) -> Measurement:
    """Fill a destination from an account's log, the bare loop beside it; then change a record now and then."""
    records = workbench.effort.sized(_RECORDS)
    world = new_world(10)
    workbench.prepare(world)
    workbench.clear()
    sync = workbench.customer.sync(workbench.url_of(world))
    fill_account(workbench.stack.database_url, sync.account_id, records)
    with tempfile.TemporaryDirectory(prefix="ferryman-bench-target-") as name, running_target(Path(name)) as target:
        place = _Place(workbench=workbench, target=target, account_id=sync.account_id, records=records)
        floors, rates = in_turn(workbench.effort.rounds, partial(_floor_rate, place), partial(_rate, place))
        lags = _measure_lags(place)
    workbench.clear()
    samples = {"bare loop, records/s": floors, "Ferryman, records/s": rates}
    return Measurement(
        scenario="destination-postgres",
        figures=[
            Figure(
                name="destination / bare loop",
                value=ratio(rates, floors),
                unit="×",
                bar=at_least(0.5),
                samples=samples,
                noise=noise(floors, rates),
            ),
            Figure(name="Ferryman", value=median(rates), unit="records/s"),
            Figure(name="bare loop", value=median(floors), unit="records/s"),
            Figure(name="lag, p50", value=median(lags), unit="s", bar=at_most(2.0), samples={"lag, s": lags}),
        ],
        notes=[f"{records:,} records of one account, from Ferryman's Postgres into another one's typed table"],
    )


def _floor_rate(place: _Place) -> float:
    place.target.clear()
    run = run_table_floor(place.workbench.stack.database_url, place.account_id, place.target.url)
    _expect(place, "floor_tickets")
    place.workbench.say(f"bare loop: {run.rate:,.0f} records/s")
    return run.rate


def _rate(place: _Place) -> float:
    place.target.clear()
    datastore = place.client.post("/datastore", {"type": "postgres", "config": place.target.config})
    began = time.perf_counter()
    made = place.client.post("/destination", {"datastore_id": datastore["id"], "options": {"schema": "landed"}})
    with psycopg.connect(place.workbench.stack.database_url, autocommit=True) as connection:
        await_cursor(connection, made["id"], place.records)
    rate = place.records / (time.perf_counter() - began)
    _expect(place, "landed." + _find_table(place))
    place.client.delete(f"/destination/{made['id']}")
    place.workbench.say(f"destination: {rate:,.0f} records/s")
    return rate


def _find_table(place: _Place) -> str:
    with psycopg.connect(place.target.url) as connection:
        row = connection.execute("select table_name from ferryman._ferryman_table").fetchone()
    if row is None:
        raise BenchError("no table was made at the target")
    return str(row[0])


def _expect(place: _Place, table: str) -> None:
    with psycopg.connect(place.target.url) as connection:
        row = connection.execute(
            f"select count(*), count(distinct remote_id), count(subject) from {table}"  # our own name
        ).fetchone()
    if row != (place.records, place.records, place.records):
        raise BenchError(f"{table} holds {row}, not {place.records} records")


def await_cursor(connection: psycopg.Connection, destination_id: str, cursor: int) -> None:
    """Wait until an account of a destination has come to a number of its log."""
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        row = connection.execute(_WRITTEN, [destination_id]).fetchone()
        if row is not None and row[0] >= cursor:
            return
        time.sleep(_POLL_SECONDS)
    raise BenchError(f"the destination did not come to {cursor} within {_END_SECONDS:g} s")


def _measure_lags(place: _Place) -> list[float]:
    """Change one record after the other, and wait for each at the target's cursor."""
    datastore = place.client.post("/datastore", {"type": "postgres", "config": place.target.config})
    made = place.client.post("/destination", {"datastore_id": datastore["id"], "options": {"schema": "lagging"}})
    lags = []
    with psycopg.connect(place.workbench.stack.database_url, autocommit=True) as connection:
        await_cursor(connection, made["id"], place.records)
        for number in range(1, _CHANGES + 1):
            values = {"account_id": place.account_id, "id": f"{number:09}"}
            row = connection.execute(_CHANGE, values).fetchone()
            assert row is not None
            began = time.perf_counter()
            await_cursor(connection, made["id"], row[0])
            lags.append(time.perf_counter() - began)
            # Not in step with the leader's looks.
            time.sleep(0.137 * (number % 5))
    place.client.delete(f"/destination/{made['id']}")
    return lags


SCENARIOS = (
    Scenario(
        name="destination-postgres",
        what="200,000 records from the log into typed tables of another Postgres; a change now and then",
        bar="at least 0.5 × a bare loop over the same jsonb; a change is there within 2 s (p50)",
        measure=measure,
    ),
)
