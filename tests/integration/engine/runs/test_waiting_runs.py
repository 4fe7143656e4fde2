"""What runs wait for, as Postgres has it: said in words, and ended by hand where it is the upstream's limit."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import RateLimitedError
from app.services.diagnosis.run_diagnosis import Diagnosis
from app.services.ports import FetchedPage, PageCall
from app.services.runs.requests import RunRequest
from app.store.maintenance.parked_units import ParkedUnitStore
from tests.support.pump import Pump, World, handle
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS, MemoryApi, MemoryReceiver

BY_NAME = {job.name: job for job in JOBS}


class LimitedApi(MemoryApi):
    """Refuses all requests until somebody lifts its limit."""

    is_closed = True

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        if not self.is_closed:
            return super().submit(call)
        future: Future[FetchedPage] = Future()
        future.set_exception(RateLimitedError(3600.0))
        return future


class Place:
    """A run, and the API beside it."""

    def __init__(self, database: PumpDatabase, job: str = "flat") -> None:
        self.database = database
        self.world = World(database, BY_NAME[job])
        self.run_id = self.world.post()
        self.services = build_api_services(self.world.settings, self.world.outside(database.engine))
        row = self.ask("select environment_id, integrated_account_id from sync_job_run where id = :id")[0]
        self.environment, self.account_id = EnvironmentId(str(row[0])), str(row[1])

    def ask(self, sql: str) -> Sequence[Any]:
        with self.database.engine.connect() as connection:
            return connection.execute(text(sql), {"id": self.run_id}).all()

    def change(self, sql: str) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(text(sql), {"id": self.run_id})

    def diagnosis(self) -> Diagnosis:
        return self.services.reading.diagnosis.explain(self.environment, self.run_id)

    def kinds(self) -> list[str]:
        return [wait.kind for wait in self.diagnosis().waits]

    def work(self, pump: Pump) -> None:
        """Do what can be done without time passing."""
        while message := self.world.mailbox.take():
            handle(pump.daemon, self.world.mailbox, message)


@pytest.mark.parametrize("way", ["reset", "resume"])
def test_parked_run_says_so_and_goes_on_at_once_when_its_limit_is_lifted(pump_database: PumpDatabase, way: str) -> None:
    place = Place(pump_database)
    place.world.api = api = LimitedApi(place.world.job)

    with Pump(place.world) as pump:
        place.work(pump)
        (wait,) = place.diagnosis().waits
        shown = place.services.budgets.show(place.environment, place.account_id)
        api.is_closed = False
        if way == "resume":
            place.services.runs.resume(place.environment, place.run_id, errors_only=False)
        else:
            # Budgets of a world without Redis are each daemon's own: what is left of a reset is to wake the units.
            wake_ups = ParkedUnitStore(pump_database.engine).wake(account_id=place.account_id)
            place.world.mailbox.dispatch(wake_ups)
        place.work(pump)
        ended = place.ask("select status from sync_job_run where id = :id")

    assert (wait.kind, wait.until is not None) == ("limit", True)
    assert [(run.run_id, run.units) for run in shown.parked_runs] == [(place.run_id, 1)]
    assert ended == [("completed",)]


def test_run_that_has_not_begun_waits_for_a_daemon_and_one_that_nobody_works_on_too(
    pump_database: PumpDatabase,
) -> None:
    place = Place(pump_database)
    before = place.kinds()
    place.change("update sync_job_run set status = 'running', begun_at = now() where id = :id")
    place.change("""
        insert into unit (id, run_id, resource_id, kind, status, updated_at)
        select gen_random_uuid(), run_id, id, 'fetch', 'ready', now() - interval '9 s' from run_resource
         where run_id = :id
    """)

    assert (before, place.kinds()) == (["daemon"], ["daemon"])


def test_webhook_run_waits_for_its_receiver_and_says_what_that_answers(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "pair-to-webhook")
    place.world.receiver = MemoryReceiver(refuse_each=1)

    with Pump(place.world) as pump:
        place.work(pump)
        (wait,) = place.diagnosis().waits

    assert wait.kind == "receiver"
    assert "events wait for it; the last of 1 attempts at the next one: answered 503" in wait.message


def test_upstream_is_compared_with_the_runs_before(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)
    with Pump(place.world) as pump:
        pump.run(place.run_id)
    again = place.services.runs.get(place.environment, place.run_id)
    place.change("update run_resource set answer_ms = 100 * answered where run_id = :id")

    request = RunRequest(sync_job_id=again.sync_job_id, integrated_account_id=place.account_id)
    place.run_id = place.services.runs.create(place.environment, request)[0].id
    with Pump(place.world) as pump:
        pump.run(place.run_id)
    place.change("update run_resource set answer_ms = 900 * answered where run_id = :id")
    found = place.diagnosis()

    (users,) = found.resources
    assert (users.requests, users.latency_ms, users.usual_latency_ms, users.is_slow) == (3, 900.0, 100.0, True)
    assert found.usual_seconds is not None
    assert found.waits == []


def test_request_that_is_under_way_tells_since_when_nothing_was_heard(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)
    place.change("update sync_job_run set status = 'running', begun_at = now() where id = :id")
    place.change("""
        insert into unit (id, run_id, resource_id, kind, status, rung_at, lease_expires_at)
        select gen_random_uuid(), run_id, id, 'fetch', 'leased', now() - interval '20 s', now() + interval '1 hour'
          from run_resource where run_id = :id
    """)

    (wait,) = place.diagnosis().waits

    assert (wait.kind, wait.resource) == ("upstream", "users")
    assert "no answer for 2" in wait.message
