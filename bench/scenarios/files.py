"""Parquet of a destination, written from the log to S3: beside a bare loop with pyarrow, and dlt's filesystem."""

import json
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import psycopg
from pyarrow import parquet

from app.client import ApiClient
from bench.file_floor import run_file_floor
from bench.filling import fill_account
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.rounds import in_turn
from bench.samples import noise, ratio
from bench.scenario import Scenario
from bench.scenarios.destinations import await_cursor
from bench.scenarios.peers import PROGRAMS, PYTHON
from bench.servers.object_store import BUCKET, KEYS, ObjectStore, running_object_store
from bench.workbench import Workbench
from bench.worlds import new_world

_RECORDS: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    workbench: Workbench
    store: ObjectStore
    account_id: str
    records: int

    @property
    def client(self) -> ApiClient:
        return ApiClient(self.workbench.stack.api_url, self.workbench.stack.token)


def measure(workbench: Workbench) -> Measurement:
    """Fill a bucket from an account's log, the bare loop and, where it is installed, dlt beside it."""
    records = workbench.effort.sized(_RECORDS)
    world = new_world(10)
    workbench.prepare(world)
    workbench.clear()
    sync = workbench.customer.sync(workbench.url_of(world))
    fill_account(workbench.stack.database_url, sync.account_id, records)
    with running_object_store() as store:
        place = _Place(workbench=workbench, store=store, account_id=sync.account_id, records=records)
        floors, rates = in_turn(workbench.effort.rounds, partial(_floor_rate, place), partial(_rate, place))
        theirs = _peer_rate(place) if PYTHON.exists() else None
    workbench.clear()
    figures = [
        Figure(
            name="destination / bare loop",
            value=ratio(rates, floors),
            unit="×",
            bar=at_least(0.5),
            samples={"bare loop, records/s": floors, "Ferryman, records/s": rates},
            noise=noise(floors, rates),
        ),
        Figure(name="Ferryman", value=median(rates), unit="records/s"),
        Figure(name="bare loop", value=median(floors), unit="records/s"),
    ]
    if theirs is not None:
        figures.append(Figure(name="Ferryman / dlt", value=median(rates) / theirs, unit="×", bar=at_least(5)))
        figures.append(Figure(name="dlt", value=theirs, unit="records/s"))
    return Measurement(
        scenario="destination-parquet",
        figures=figures,
        notes=[f"{records:,} records of one account, from Ferryman's Postgres as Parquet to rclone's S3; dlt once"],
    )


def _floor_rate(place: _Place) -> float:
    run = run_file_floor(place.workbench.stack.database_url, place.account_id, place.store.url)
    _expect(place, "floor")
    place.workbench.say(f"bare loop: {run.rate:,.0f} records/s")
    return run.rate


def _rate(place: _Place) -> float:
    prefix = f"ferryman-{time.monotonic_ns()}"
    datastore = place.client.post("/datastore", {"type": "s3", "config": {**place.store.config, "prefix": prefix}})
    began = time.perf_counter()
    made = place.client.post("/destination", {"datastore_id": datastore["id"]})
    with psycopg.connect(place.workbench.stack.database_url, autocommit=True) as connection:
        await_cursor(connection, made["id"], place.records)
    rate = place.records / (time.perf_counter() - began)
    _expect(place, prefix)
    place.client.delete(f"/destination/{made['id']}")
    place.workbench.say(f"destination: {rate:,.0f} records/s")
    return rate


def _peer_rate(place: _Place) -> float:
    arguments = [place.workbench.stack.database_url, place.account_id, place.store.url, BUCKET, *KEYS.values()]
    command: list[str | Path] = [PYTHON, PROGRAMS / "dlt_files_peer.py", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROGRAMS)
    if done.returncode != 0:
        raise BenchError(f"dlt failed: {done.stderr[-1000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["records"] != place.records:
        raise BenchError(f"dlt wrote {result['records']} of {place.records} records")
    rate = place.records / float(result["seconds"])
    place.workbench.say(f"dlt: {rate:,.0f} records/s")
    return rate


def _expect(place: _Place, prefix: str) -> None:
    """Raise BenchError unless each record is in a file, with its subject."""
    subjects = dict(_read_subjects(place, prefix))
    if len(subjects) != place.records or None in subjects.values():
        raise BenchError(f"{prefix} holds {len(subjects)}, not {place.records} records")


def _read_subjects(place: _Place, prefix: str) -> Iterable[tuple[str, str | None]]:
    for file in (place.store.folder / prefix).rglob("*.parquet"):
        # Not read_table: it would make columns of the folders' names.
        columns = parquet.ParquetFile(file).read(columns=["remote_id", "subject"])
        yield from zip(columns["remote_id"].to_pylist(), columns["subject"].to_pylist(), strict=True)


SCENARIOS = (
    Scenario(
        name="destination-parquet",
        what="200,000 records from the log as Parquet on S3, beside the same loop with pyarrow and dlt's filesystem",
        bar="at least 0.5 × a bare loop over the same jsonb; at least 5 × dlt, where it is installed",
        measure=measure,
    ),
)
