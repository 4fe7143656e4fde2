"""What a bulk action is for is written down once, and each run's end is counted once, wherever its process dies."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from app.engine.ids import new_id
from app.engine.objects.bulk_actions import BulkKind, BulkOutcome, BulkStatus
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.services.dashboard.run_filters import read_filters
from app.store import tables
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.db.database import connect
from tests.integration.store.dashboard.run_rows import put_run

MINE = EnvironmentId(new_id())


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    with made.begin() as connection:
        connection.execute(insert(tables.environment).values(id=MINE, name="mine"))
    yield made
    made.dispose()


@pytest.fixture
def store(engine: Engine) -> BulkActionStore:
    return BulkActionStore(engine)


def counted(store: BulkActionStore, kind: BulkKind, **filters: Any) -> str:
    id = store.create(MINE, kind, read_filters(filters))
    while store.count_some(id, limit=2):
        pass
    return id


def targets(store: BulkActionStore, id: str, outcome: BulkOutcome = BulkOutcome.PENDING) -> set[str]:
    return {target.run_id for target in store.list_tried(MINE, id, outcome, limit=100)}


def test_action_is_for_the_runs_that_matched_when_it_was_counted(engine: Engine, store: BulkActionStore) -> None:
    live = {put_run(engine, MINE, status="running") for _ in range(5)}
    put_run(engine, MINE, status="completed")
    id = store.create(MINE, BulkKind.STOP, read_filters({}))
    later = put_run(engine, MINE, status="running")

    batches = 1
    while store.count_some(id, limit=2):
        batches += 1
    is_counted_again = store.count_some(id, limit=2)

    action = store.get(MINE, id)
    assert action is not None
    assert (action.status, action.counted, batches, is_counted_again) == (BulkStatus.COUNTED, 5, 4, False)
    assert targets(store, id) == live
    assert later not in live


def test_each_kind_is_for_runs_with_something_to_do(engine: Engine, store: BulkActionStore) -> None:
    failed, stopped = (put_run(engine, MINE, status=status) for status in ("failed", "stopped"))
    faulty = put_run(engine, MINE, status="completed", errors=2, retried=1)
    put_run(engine, MINE, status="completed", errors=1, retried=1)
    running = put_run(engine, MINE, status="running", errors=1)

    assert targets(store, counted(store, BulkKind.STOP)) == {running}
    assert targets(store, counted(store, BulkKind.RESUME)) == {failed, stopped}
    assert targets(store, counted(store, BulkKind.RETRY_ERRORS)) == {faulty}
    assert targets(store, counted(store, BulkKind.RESUME, status="failed")) == {failed}


def test_end_of_each_run_is_counted_once_and_the_last_one_ends_the_action(
    engine: Engine, store: BulkActionStore
) -> None:
    for _ in range(3):
        put_run(engine, MINE, status="running")
    id = counted(store, BulkKind.STOP)
    assert store.find_open(skipped=[], limit=10) == []

    assert store.confirm(MINE, id)
    assert not store.confirm(MINE, id)
    first, second, third = store.find_pending(id, limit=10)
    done = replace(first, outcome=BulkOutcome.DONE)
    store.record(id, [done])
    # By a process that died before it heard of its commit.
    store.record(id, [done, replace(second, outcome=BulkOutcome.SKIPPED, reason="it is gone")])
    store.record(id, [replace(third, outcome=BulkOutcome.FAILED, reason="it broke")])

    action = store.get(MINE, id)
    assert action is not None
    assert (action.done, action.skipped, action.failed, action.tried) == (1, 1, 1, 3)
    assert (action.status, action.finished_at is not None) == (BulkStatus.FINISHED, True)
    (skipped,) = store.list_tried(MINE, id, BulkOutcome.SKIPPED, limit=10)
    assert (skipped.run_id, skipped.reason) == (second.run_id, "it is gone")


def test_action_for_no_run_and_one_whose_runs_were_deleted_come_to_an_end(
    engine: Engine, store: BulkActionStore
) -> None:
    run = put_run(engine, MINE, status="running")
    gone = counted(store, BulkKind.STOP)
    with engine.begin() as connection:
        connection.execute(text("delete from sync_job_run where id = :id"), {"id": run})
    none = counted(store, BulkKind.STOP)

    for id in (gone, none):
        store.confirm(MINE, id)
        assert store.find_pending(id, limit=10) == []
        store.record(id, [])

    assert [action.status for action in store.list(MINE, ListFilters()).result] == [BulkStatus.FINISHED] * 2


def test_cancelled_action_stays_as_it_is(engine: Engine, store: BulkActionStore) -> None:
    put_run(engine, MINE, status="running")
    id = counted(store, BulkKind.STOP)
    store.confirm(MINE, id)

    assert [store.cancel(MINE, id), store.cancel(MINE, id), store.confirm(MINE, id)] == [True, False, False]
    store.record(id, [replace(one, outcome=BulkOutcome.DONE) for one in store.find_pending(id, limit=10)])

    action = store.get(MINE, id)
    assert action is not None
    assert (action.status, action.done) == (BulkStatus.CANCELLED, 1)


def test_nobody_reaches_an_action_of_another_environment(engine: Engine, store: BulkActionStore) -> None:
    put_run(engine, MINE, status="running")
    id, other = counted(store, BulkKind.STOP), EnvironmentId(new_id())

    assert store.get(other, id) is None
    assert not store.confirm(other, id)
    assert not store.cancel(other, id)
    assert list(store.list_tried(other, id, BulkOutcome.PENDING, limit=10)) == []


def test_actions_are_forgotten_bit_by_bit(engine: Engine, store: BulkActionStore) -> None:
    for _ in range(3):
        put_run(engine, MINE, status="running")
    old, unconfirmed, fresh = (counted(store, BulkKind.STOP) for _ in range(3))
    store.cancel(MINE, old)
    with engine.begin() as connection:
        statement = "update bulk_action set {} = now() - interval '8 days' where id = :id"
        connection.execute(text(statement.format("finished_at")), {"id": old})
        connection.execute(text(statement.format("created_at")), {"id": unconfirmed})
    terms = {"kept_seconds": 7 * 86400.0, "unconfirmed_seconds": 3600.0}

    removed = []
    while count := store.prune(**terms, limit=2):
        removed.append(count)

    assert sum(removed) == 2 * (3 + 1)
    assert [action.id for action in store.list(MINE, ListFilters()).result] == [fresh]


def test_action_that_is_being_forgotten_does_not_begin_with_the_rest_of_its_runs(
    engine: Engine, store: BulkActionStore
) -> None:
    for _ in range(3):
        put_run(engine, MINE, status="running")
    id = counted(store, BulkKind.STOP)
    with engine.begin() as connection:
        connection.execute(text("update bulk_action set created_at = now() - interval '2 hours'"))

    assert store.prune(kept_seconds=7 * 86400.0, unconfirmed_seconds=3600.0, limit=2) == 2
    assert not store.confirm(MINE, id)
    action = store.get(MINE, id)
    assert action is not None
    assert action.status == BulkStatus.CANCELLED
