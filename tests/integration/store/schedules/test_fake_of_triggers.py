"""Due triggers: the store, and what stands for it in unit tests, do what their port says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.triggers import CronTrigger, DueTrigger
from app.engine.runs.work import EventDraft
from app.services.runs.requests import CachedJob, RunDraft
from app.services.schedules.ports import DueTriggers, ReadyOccurrence
from app.services.schedules.triggers import request_of
from app.store.db.database import connect
from app.store.schedules.triggers import TriggerStore
from tests.support.rows import put
from tests.unit.services.schedules.test_triggers import FakeTriggers, _draft, trigger
from tests.unit.services.service_tables import sync_job


@dataclass
class Subject:
    """One trigger that is due."""

    store: DueTriggers
    trigger_id: str
    read: Callable[[], tuple[datetime | None, bool]]
    """Returns when it is next due, and whether its last due time made no run."""

    def find(self) -> DueTrigger:
        (found,) = self.store.find_due(limit=9, skipped=[])
        return found

    def is_due(self) -> bool:
        return bool(self.store.find_due(limit=9, skipped=[]))

    def ready(self, due: DueTrigger, *, next_run_at: datetime, supposes: CachedJob | None = None) -> ReadyOccurrence:
        return ReadyOccurrence(due=due, draft=draft(due, supposes=supposes), next_run_at=next_run_at)


def draft(due: DueTrigger, **fields: Any) -> RunDraft:
    made = _draft(request_of(due.trigger))
    return replace(made, id=new_id(), environment_id=due.trigger.environment_id, **fields)


def announce_to_nobody(_: object) -> list[EventDraft]:
    return []


def fake() -> Subject:
    store = FakeTriggers(trigger())
    return Subject(store, "trigger", lambda: (store.next_run_at, store.error is not None))


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        yield fake()
        return
    engine = connect(request.getfixturevalue("database_url"))
    environment = EnvironmentId(put(engine, "environment", name="e"))
    ids = {"environment_id": environment, "sync_job_id": new_id(), "integrated_account_id": new_id()}
    due_at = text("now() - interval '30 seconds'")
    job: dict[str, Any] = {"integration_name": "acme", "label": "", "args_schema": {}, "resources": []}
    put(engine, "sync_job", id=ids["sync_job_id"], environment_id=environment, **job)
    made = put(
        engine,
        "sync_job_cron_trigger",
        cron_expression="* * * * *",
        enabled=True,
        next_run_at=due_at,
        timezone="UTC",
        args={},
        **ids,
    )
    store = TriggerStore(engine)

    def read() -> tuple[datetime | None, bool]:
        found = store.get(environment, made)
        assert isinstance(found, CronTrigger)
        return found.next_run_at, bool((found.last_run or {}).get("error"))

    yield Subject(store, made, read)
    engine.dispose()


def test_due_trigger_is_found_unless_it_is_skipped(subject: Subject) -> None:
    found = subject.find()

    assert (found.trigger.id, found.stands_at, found.is_second_try) == (subject.trigger_id, found.due_at, False)
    assert found.due_at < found.now
    assert list(subject.store.find_due(limit=9, skipped=[found.attempt_key])) == []


def test_due_time_is_begun_once_and_postponed(subject: Subject) -> None:
    found = subject.find()

    begun = subject.store.begin(found, until=None)

    assert begun is not None
    assert begun.stands_at > found.now
    assert (begun.due_at, subject.is_due()) == (found.due_at, False)
    assert subject.store.begin(found, until=None) is None
    assert list(subject.store.begin_all([found])) == []


def test_due_times_are_begun_together(subject: Subject) -> None:
    found = subject.find()

    (begun,) = subject.store.begin_all([found])

    assert begun.stands_at > found.now
    assert subject.is_due() is False


def test_run_of_a_due_time_is_written_once(subject: Subject) -> None:
    found = subject.find()
    next_run_at = found.now + timedelta(hours=1)

    messages = [subject.store.fire(found, draft(found), next_run_at=next_run_at) for _ in range(2)]

    assert [message is not None for message in messages] == [True, False]
    assert subject.read() == (next_run_at, False)


def test_runs_are_written_together_or_not_at_all(subject: Subject) -> None:
    found = subject.find()
    next_run_at = found.now + timedelta(hours=1)

    written = subject.store.run_due([subject.ready(found, next_run_at=next_run_at)])

    assert written is not None
    assert list(written) == [subject.trigger_id]
    assert subject.store.run_due([subject.ready(found, next_run_at=next_run_at)]) is None
    assert subject.read() == (next_run_at, False)


def test_run_of_which_not_all_is_as_supposed_is_left_out(subject: Subject) -> None:
    found = subject.find()
    supposed = CachedJob(job=sync_job(), version="0", items=[])

    assert subject.store.run_due([subject.ready(found, next_run_at=found.now, supposes=supposed)]) == {}
    assert subject.is_due() is True


def test_due_time_without_a_run_is_recorded_once(subject: Subject) -> None:
    found = subject.find()

    for next_run_at in (found.now + timedelta(hours=1), None):
        subject.store.fail(found, "is wrong", next_run_at=next_run_at, announce=announce_to_nobody)

    assert subject.read() == (found.now + timedelta(hours=1), True)
