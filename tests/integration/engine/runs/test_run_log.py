"""The log of runs that daemons carried out, and what webhooks that are not a run's are told of its end."""

from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import build_daemon_services
from app.engine.logs.entries import LogType, RunEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.status import RunStatus
from app.engine.webhooks import events
from tests.support.patience import wait_for
from tests.support.pump import Pump, World, sweep
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS, Job, MemoryReceiver

pytestmark = pytest.mark.timeout(180)
BY_NAME = {job.name: job for job in JOBS}


class Place:
    """A run of a job, and an environment around it."""

    def __init__(self, database: PumpDatabase, job: Job) -> None:
        self.engine = database.engine
        self.world = World(database, job)
        self.services = build_api_services(self.world.settings, self.world.outside(self.engine))
        self.run_id = self.world.post()
        with self.engine.connect() as connection:
            statement = text("select environment_id, webhook_id from sync_job_run where id = :id")
            row = connection.execute(statement, {"id": self.run_id}).one()
        self.environment = EnvironmentId(str(row.environment_id))
        self.webhook_id = str(row.webhook_id) if row.webhook_id else None

    def go(self) -> None:
        with Pump(self.world) as pump:
            pump.run(self.run_id)

    def log(self, **filters: str) -> list[RunEntry]:
        wanted = {"sync_job_run_id": self.run_id, **filters}
        page = self.services.reading.logs.read(self.environment, LogType.RUNS, ListFilters(equal=wanted))
        assert page.next_cursor is None
        return page.result

    def story(self, **filters: str) -> list[str]:
        entries = self.log(**filters)[::-1]
        marks = {True: "sent ", False: ""}
        return [f"{marks[bool(e.delivery_status)]}{e.sync_job_run_event.partition(':')[2]}" for e in entries]

    def watcher(self, *names: str, is_active: bool = True) -> str:
        fields = {"target_url": "http://memory.invalid", "event_types": list(names), "is_active": is_active}
        return self.services.webhooks.create(self.environment, fields).id

    def announced(self) -> list[tuple[str, str]]:
        sql = "select webhook_id, event from delivery where run_id is null and webhook_id in "
        owned = "(select id from webhook where environment_id = :id) order by sequence"
        with self.engine.connect() as connection:
            rows = connection.execute(text(sql + owned), {"id": self.environment}).all()
        return [(str(webhook_id), event.removeprefix("sync_job_run:")) for webhook_id, event in rows]


def test_webhook_run_is_told_from_its_creation_to_its_end(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, BY_NAME["faults-to-webhook"])

    place.go()

    story = place.story()
    # What was queued in one transaction stands at one time.
    assert sorted(story[:2]) == ["created", "started"]
    assert {"sent created", "sent started", "sent record", "sent record_error", "record_error"} <= set(story)
    assert sorted(story[-2:]) == ["completed", "sent completed"]
    batches = [entry for entry in place.log() if entry.sync_job_run_event == events.RECORD]
    assert sum(entry.num_records or 0 for entry in batches) > 0
    assert {(entry.resource, entry.method, entry.webhook_successful) for entry in batches} == {
        ("orders", "list", True),
        ("lines", "list", True),
    }
    told = [entry for entry in place.log(sync_job_run_event=events.RECORD_ERROR) if entry.delivery_status]
    assert {entry.resource for entry in told} == {"orders"}


def test_reason_of_a_failed_daemon_run_is_in_the_log(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, BY_NAME["fail-fast"])

    place.go()

    assert place.story() == ["created", "started", "record_error", "failed"]
    assert place.log()[0].error is not None
    assert place.log()[0].logs == ["http_403: answered 403"]


def test_stopped_run_is_told_as_stopped(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, BY_NAME["flat"])

    place.services.runs.stop(place.environment, place.run_id)

    assert place.story() == ["created", "stopped"]
    assert place.story(sync_job_run_event="sync_job_run:stopped") == ["stopped"]


@pytest.mark.parametrize(
    ("name", "end"),
    [("flat", "completed"), ("fail-fast", "failed"), ("pair-to-webhook", "completed")],
)
def test_webhooks_that_named_an_end_are_told_of_it_for_any_run(
    pump_database: PumpDatabase, name: str, end: str
) -> None:
    place = Place(pump_database, BY_NAME[name])
    both = place.watcher("sync_job_run:completed", "sync_job_run:failed")
    place.watcher("sync_job_run:record")
    place.watcher("sync_job_run:completed", "sync_job_run:failed", is_active=False)
    place.services.webhooks.create(place.environment, {"target_url": "http://memory.invalid"})
    other = Place(pump_database, BY_NAME["flat"])
    other.watcher("sync_job_run:completed", "sync_job_run:failed")
    if place.webhook_id:
        place.services.webhooks.update(place.environment, place.webhook_id, {"event_types": ["sync_job_run:completed"]})

    place.go()

    assert place.announced() == [(both, end)]
    assert other.announced() == []


def test_announced_end_reaches_its_receiver_and_leaves_the_books_alone(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, BY_NAME["pair-to-webhook"])
    watcher = place.watcher("sync_job_run:completed")
    place.go()
    verified = place.services.runs.verify(place.environment, place.run_id)
    place.world.receiver = MemoryReceiver()
    daemon = build_daemon_services(place.world.settings, place.world.outside(place.engine))

    wait_for(daemon.leadership.is_held, what="the lead")
    try:
        wait_for(lambda: sweep(daemon) or _of(place, watcher), what="the announcement")
    finally:
        daemon.leadership.resign()

    (payload,) = _of(place, watcher)
    assert (payload["id"], payload["status"]) == (place.run_id, RunStatus.COMPLETED)
    assert verified.is_balanced


def _of(place: Place, webhook_id: str) -> list[dict[str, Any]]:
    taken = dict(place.world.receiver.taken).values()
    return [body["payload"] for body in taken if body["webhook_id"] == webhook_id]


def test_removal_of_an_ended_run_is_told_and_its_stop_is_not(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, BY_NAME["flat"])
    everything = place.services.webhooks.create(place.environment, {"target_url": "http://memory.invalid"}).id
    named = place.watcher("sync_job_run:deleted")
    place.watcher("sync_job_run:completed")

    place.services.runs.delete(place.environment, place.run_id)
    assert place.announced() == []
    place.services.runs.delete(place.environment, place.run_id)

    assert sorted(place.announced()) == sorted([(everything, "deleted"), (named, "deleted")])
    assert place.log() == []
