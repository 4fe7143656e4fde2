"""A page that takes longer than its lease is asked for once, written once, and nobody else takes its unit meanwhile."""

import os
import threading
from collections import Counter

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from app.store.db.writing_sessions import WritingSessions
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.support.patience import wait_for
from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import Job, MemoryApi
from tests.support.workspace import child_of, listed

IS_LONG = os.environ.get("PROOFS") == "long"
RECORDS = 1_400_000 if IS_LONG else 20_000
PARENTS = 500
"""Of the records, where there are children: one request each."""
LEASE = 3.0
pytestmark = pytest.mark.timeout(3600 if IS_LONG else 180)

_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
_MAKE_LOG = """
    insert into account_log (integrated_account_id, last_sequence)
    select integrated_account_id, 0 from sync_job_run where id = :run_id
"""
_LEASED = "select id from unit where run_id = :run_id and status = 'leased' and kind = 'fetch'"
_UNTIL = "select now() + make_interval(secs => :seconds)"


class OnePageApi(MemoryApi):
    """Gives all that it holds as one page."""

    page_size = RECORDS  # type: ignore[misc]


def job(kind: str) -> Job:
    records: list[JsonObject] = [{"id": str(number), "name": f"record {number}"} for number in range(RECORDS)]
    if kind != "children":
        return Job(name=kind, resources=[listed("users")], api={"users": {None: records}}, to_webhook=kind == "webhook")
    notes = [
        {**record, "notes": [number] if number % (RECORDS // PARENTS) == 0 else []}
        for number, record in enumerate(records)
    ]
    child = child_of("users", "notes", loop_on="resources.users.notes")
    owned = {record["id"]: [{"id": f"note-{record['id']}"}] for record in notes if record["notes"]}
    return Job(name=kind, resources=[listed("users"), child], api={"users": {None: notes}, "notes": owned})


class Obstacle:
    """Holds a run's first page up at its account's log for longer than a lease, and tries to get hold of its unit."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._values = {"run_id": run_id}
        self._is_there = threading.Event()
        self._thread = threading.Thread(target=self._stand_in_the_way)
        self.thefts: list[object] = []
        self.tries = 0

    def __enter__(self) -> "Obstacle":
        self._thread.start()
        self._is_there.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.join()

    def _stand_in_the_way(self) -> None:
        with self._engine.begin() as holder, self._engine.connect() as watcher:
            watcher.execution_options(isolation_level="AUTOCOMMIT")
            holder.execute(text("set local idle_in_transaction_session_timeout = 0"))
            holder.execute(text(_MAKE_LOG), self._values)
            self._is_there.set()
            wait_for(lambda: watcher.execute(text(_WAITING)).scalar_one(), 600, what="the page at the log")
            (unit_id,) = watcher.execute(text(_LEASED), self._values).scalars()
            until = watcher.execute(text(_UNTIL), {"seconds": 1.5 * LEASE}).scalar_one()
            while watcher.execute(text("select now()")).scalar_one() < until:
                self._try_to_get(str(unit_id))

    def _try_to_get(self, unit_id: str) -> None:
        self.tries += 1
        taken = UnitStore(self._engine).claim(unit_id, terms(lease_seconds=9, most_of_account=9))
        ended = WritingSessions(self._engine, older_than_seconds=0).end_orphaned()
        self.thefts += [found for found in (taken, ended) if found]


def outcome_of(database: PumpDatabase, kind: str) -> tuple[World, Outcome, Obstacle]:
    world = World(database, job(kind), limits={"lease_seconds": LEASE, "children_per_unit": 500})
    world.api = OnePageApi(world.job)
    run_id = world.post()
    with Pump(world) as pump, Obstacle(database.engine, run_id) as obstacle:
        return world, pump.run(run_id), obstacle


@pytest.mark.parametrize("kind", ["records", "webhook", "children"])
def test_very_large_page_is_asked_for_and_written_once(pump_database: PumpDatabase, kind: str) -> None:
    world, outcome, obstacle = outcome_of(pump_database, kind)

    assert (outcome.run["status"], outcome.unfinished, outcome.errors) == ("completed", [], [])
    assert (obstacle.thefts, obstacle.tries > 0) == ([], True)
    assert Counter(world.api.asked).most_common(1)[0][1] == 1
    (users,) = [books for books in outcome.resources if books["name"] == "users"]
    assert (users["pages"], users["fetched"]) == (1, RECORDS)
    if kind == "webhook":
        assert (len(outcome.delivered), set(outcome.delivered.values())) == (RECORDS, {1})
    else:
        assert len(outcome.records) == RECORDS + (PARENTS if kind == "children" else 0)
