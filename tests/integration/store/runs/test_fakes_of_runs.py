"""Runs and their moves: stores, and what stands for them in unit tests, do what their ports say."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from app.engine.errors import IdempotencyKeyReusedError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft
from app.engine.status import ResourceStatus, RunStatus
from app.services.runs import ports
from app.services.runs.requests import CachedJob, IdempotencyKey, RunDraft, RunRequest
from app.store.db.database import connect
from app.store.runs.moves import RunMoves
from app.store.runs.runs import RunStore
from tests.support.rows import put
from tests.unit.services.runs.test_run_service import FakeRunStore
from tests.unit.services.service_moves import FakeMoves, resource_state
from tests.unit.services.service_tables import run as make_run
from tests.unit.services.service_tables import sync_job
from tests.unit.services.service_world import FakeDeliveries, FakeRuns, FakeUnits

QUEUE = "daemon-group.blue"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine | None]:
    """Postgres; None where a fake stands for it."""
    if request.param == "fake":
        yield None
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield engine
    engine.dispose()


def announce_to_nobody(_: object) -> list[EventDraft]:
    return []


@dataclass
class Kept:
    """Runs of one environment beside another one's."""

    store: ports.RunStore
    here: EnvironmentId
    elsewhere: EnvironmentId
    moves: Any

    def draft(self, **fields: Any) -> RunDraft:
        made = RunDraft(
            id=new_id(),
            environment_id=self.here,
            request=RunRequest(sync_job_id=new_id(), integrated_account_id=new_id()),
            args={"a": 1},
            args_hash=b"",
            sync_job={},
            resources=[],
            items=[],
            version=3,
            group_key="blue",
            queue=QUEUE,
            overlap_seconds=0,
            mutex_key=None,
            idempotency=None,
        )
        return replace(made, **fields)


@pytest.fixture
def kept(engine: Engine | None) -> Kept:
    here, elsewhere = EnvironmentId(new_id()), EnvironmentId(new_id())
    if engine is None:
        runs = FakeRuns()
        store = FakeRunStore(runs.rows, is_as_supposed=False)
        return Kept(store, here, elsewhere, FakeMoves(runs, units := FakeUnits(), FakeDeliveries(units)))
    for id in (here, elsewhere):
        put(engine, "environment", id=id, name=id)
    return Kept(RunStore(engine), here, elsewhere, RunMoves(engine))


def test_written_run_is_seen_in_its_environment_alone_and_its_message_is_promised(kept: Kept) -> None:
    created = kept.store.create(kept.draft())

    found = kept.store.get(kept.here, created.run.id)

    assert found is not None
    assert (found.status, found.args, created.queue) == (RunStatus.CREATED, {"a": 1}, QUEUE)
    assert created.outbox_id is not None
    assert kept.store.get(kept.elsewhere, created.run.id) is None
    assert [run.id for run in kept.store.list(kept.here, ListFilters()).result] == [created.run.id]
    assert kept.store.list(kept.elsewhere, ListFilters()).result == []
    assert kept.store.list(kept.here, ListFilters(among=[("status", ["failed"])])).result == []
    assert kept.store.list_errors(created.run.id, limit=3, cursor=None).result == []


def test_idempotency_key_makes_one_run_of_one_body(kept: Kept) -> None:
    key = IdempotencyKey(key="k", body_hash=b"h")
    first = kept.store.create(kept.draft(idempotency=key))

    second = kept.store.create(kept.draft(idempotency=key))

    assert (second.run.id, second.outbox_id) == (first.run.id, None)
    with pytest.raises(IdempotencyKeyReusedError):
        kept.store.create(kept.draft(idempotency=replace(key, body_hash=b"another")))


def test_run_of_which_not_all_is_as_supposed_is_not_written(kept: Kept) -> None:
    supposed = CachedJob(job=sync_job(), version="1", items=[])

    assert kept.store.create_as_supposed(kept.draft(supposes=supposed)) is None
    assert kept.store.list(kept.here, ListFilters()).result == []


def test_run_is_removed_once_it_has_ended(kept: Kept) -> None:
    run_id = kept.store.create(kept.draft()).run.id
    assert kept.store.delete(kept.here, run_id, announce=announce_to_nobody) is False

    kept.moves.move(run_id, RunStatus.STOPPED)

    assert kept.store.delete(kept.elsewhere, run_id, announce=announce_to_nobody) is False
    assert kept.store.delete(kept.here, run_id, announce=announce_to_nobody) is True
    assert kept.store.delete(kept.here, run_id, announce=announce_to_nobody) is False


@dataclass
class Moving:
    """A created run of one resource, and one that waits for its mutex."""

    moves: ports.RunMoves
    run_id: str
    resource_id: str
    waiting: str

    @property
    def status(self) -> RunStatus:
        with self.moves.lock(self.run_id) as locked:
            return locked.read_run().status

    def start(self, *, units: int = 1) -> bool:
        drafts = [UnitDraft(id=new_id(), resource_id=self.resource_id, elements=[{}]) for _ in range(units)]
        return self.moves.start(self.run_id, units=drafts, events=[], errors=[])

    def error(self, code: str = "x") -> ErrorDraft:
        return ErrorDraft(resource="tickets", method="list", code=code, message="broke", at=NOW)


@pytest.fixture
def moving(engine: Engine | None) -> Moving:
    if engine is None:
        runs, units = FakeRuns(), FakeUnits()
        runs.add(make_run(status=RunStatus.CREATED))
        runs.add(make_run(id="waiting", status=RunStatus.CREATED, waiting_on="run"))
        moves = FakeMoves(runs, units, FakeDeliveries(units))
        moves.resources = [resource_state()]
        return Moving(moves, "run", "id-of-tickets", "waiting")
    ids = {"environment_id": put(engine, "environment", name="e"), "sync_job_id": new_id()}
    account: dict[str, Any] = {"integrated_account_id": new_id(), "mutex_key": "m", "queue": QUEUE}
    shape: dict[str, Any] = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}}
    first, second = (put(engine, "sync_job_run", status="created", **ids, **account, **shape) for _ in range(2))
    named = {"name": "tickets", "resource": "tickets", "method": "list", "persist": True, "position": 0}
    return Moving(RunMoves(engine), first, put(engine, "run_resource", run_id=first, **named), second)


def test_run_is_taken_up_once_and_not_while_it_waits_for_another(moving: Moving) -> None:
    assert moving.moves.take_up(moving.waiting, daemon_id="d") is False
    assert [moving.moves.take_up(moving.run_id, daemon_id="d") for _ in range(2)] == [True, False]
    assert moving.status is RunStatus.RUNNING


def test_run_is_moved_where_its_status_allows_it(moving: Moving) -> None:
    assert moving.moves.move(moving.run_id, RunStatus.COMPLETED) is False
    assert moving.moves.move(moving.run_id, RunStatus.STOPPED) is True
    assert moving.moves.move(moving.run_id, RunStatus.FAILED) is False
    assert moving.moves.move(new_id(), RunStatus.STOPPED) is False
    assert moving.status is RunStatus.STOPPED


def test_next_in_line_is_found_once_a_run_has_ended(moving: Moving) -> None:
    moving.moves.take_up(moving.run_id, daemon_id="d")
    assert moving.moves.find_next_in_line(moving.run_id) is None

    moving.moves.move(moving.run_id, RunStatus.STOPPED)

    assert moving.moves.find_next_in_line(moving.run_id) == (moving.waiting, QUEUE)


def test_run_begins_once_it_is_running_and_once_only(moving: Moving) -> None:
    assert moving.start() is False

    moving.moves.take_up(moving.run_id, daemon_id="d")

    assert [moving.start() for _ in range(2)] == [True, False]
    assert moving.moves.unblock(moving.run_id, QUEUE) == []


def test_error_of_a_run_is_recorded_once(moving: Moving) -> None:
    for _ in range(2):
        moving.moves.record_error(moving.run_id, moving.error())
    moving.moves.record_error(new_id(), moving.error("y"))

    with moving.moves.lock(moving.run_id) as locked:
        found = locked.find_first_error(["tickets"])
        assert locked.find_first_error(["users"]) is None
    assert found is not None
    assert found["code"] == "x"


def test_locked_run_is_ended_with_its_resources(moving: Moving) -> None:
    moving.moves.take_up(moving.run_id, daemon_id="d")
    moving.start()

    with moving.moves.lock(moving.run_id) as locked:
        assert locked.run is not None
        assert (locked.run.status, locked.has_begun) == (RunStatus.RUNNING, True)
        assert (locked.is_rekeying, locked.has_decided_deletions) == (False, False)
        assert (locked.has_failed_requests(), list(locked.find_unread_resources())) == (False, [])
        locked.end_resources({moving.resource_id: ResourceStatus.COMPLETED})
        locked.record_errors([moving.error()])
        assert [state.status for state in locked.progress().resources] == [ResourceStatus.COMPLETED]
        assert locked.progress().pending == 0
        assert locked.move(RunStatus.COMPLETED) is True
        assert locked.move(RunStatus.FAILED) is False
        assert list(locked.watchers) == []

    assert moving.status is RunStatus.COMPLETED


def test_run_that_is_gone_is_locked_as_nothing(moving: Moving) -> None:
    with moving.moves.lock(new_id()) as locked:
        assert locked.run is None
