"""What is over is removed in small batches; what lives, or is still needed, stays."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text

from app.engine.ids import new_id
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.ports import PrunedRuns
from app.services.maintenance.retention import RunPruning
from app.store import tables
from app.store.db.database import connect
from app.store.maintenance.retention import RetentionStore
from tests.support.rows import put

DAY = 86400.0
OLD = text("now() - interval '100 days'")
ACCOUNT, JOB = new_id(), new_id()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    with made.begin() as connection:
        connection.execute(insert(tables.environment).values(id=ACCOUNT, name="tested"))
    yield made
    made.dispose()


@pytest.fixture
def store(engine: Engine) -> RetentionStore:
    return RetentionStore(engine)


def rows(engine: Engine, table: str, column: str = "id") -> list[Any]:
    with engine.connect() as connection:
        found = connection.execute(select(tables.metadata.tables[table].c[column])).scalars()
        return sorted(str(value) for value in found)


def run(engine: Engine, status: str = "failed", *, finished: Any = OLD, started: Any = OLD) -> str:
    values = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}, "queue": "q"}
    origin = {"environment_id": ACCOUNT, "sync_job_id": JOB, "integrated_account_id": ACCOUNT}
    times = {"finished_at": finished, "started_at": started}
    return str(put(engine, "sync_job_run", status=status, **times, **origin, **values))


def delivery(engine: Engine, run_id: str, status: str = "delivered", **values: Any) -> str:
    fixed = {"webhook_id": new_id(), "event": "record", "body": b"{}", "integrated_account_id": ACCOUNT}
    return str(put(engine, "delivery", run_id=run_id, status=status, **{**fixed, **values}))


def resource(engine: Engine, run_id: str) -> str:
    values = {"position": 0, "name": "users", "resource": "users", "method": "list", "persist": True}
    return str(put(engine, "run_resource", run_id=run_id, **values))


_MANY_RUNS = """
    with run as (
        insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                                  resources, sync_job, queue, started_at, finished_at)
        select gen_random_uuid(), cast(:id as uuid), cast(:job as uuid), cast(:id as uuid), 'failed', '{}', '', '[]',
               '{}', 'q', now() - interval '100 days', now() - interval '100 days' - n * interval '1 second'
          from generate_series(1, 300) n returning id),
    resource as (
        insert into run_resource (id, run_id, position, name, resource, method, persist)
        select gen_random_uuid(), id, 0, 'users', 'users', 'list', true from run),
    unit as (
        insert into unit (id, run_id, kind, status)
        select gen_random_uuid(), run.id, 'fetch', 'done' from run, generate_series(1, 5)),
    delivery as (
        insert into delivery (id, run_id, webhook_id, event, body, integrated_account_id, log_sequence, status)
        select gen_random_uuid(), run.id, gen_random_uuid(), 'record', '', cast(:id as uuid), n, 'delivered'
          from run, generate_series(1, 12) n)
    insert into run_error (id, run_id, code, message) select gen_random_uuid(), id, 'x', 'x' from run
"""


def fill_old(engine: Engine) -> None:
    """Put two old rows of each kind."""
    job = {"environment_id": ACCOUNT, "sync_job_id": JOB, "integrated_account_id": ACCOUNT}
    trigger = {**job, "cron_expression": "* * * * *", "timezone": "UTC", "args": {}, "resources": []}
    trigger_id, ended = put(engine, "sync_job_cron_trigger", **trigger), run(engine)
    call = {"environment_id": ACCOUNT, "api": "proxy", "method": "list", "response_status": 200, "duration_ms": 1}
    record = {"integrated_account_id": ACCOUNT, "resource": "users", "content_hash": b"", "deleted_at": OLD}
    people = put(engine, "notification_destination", environment_id=ACCOUNT, type="slack", config_encrypted=b"")
    for number in (1, 2):
        fire = {"sync_job_cron_trigger_id": trigger_id, "due_at": text(f"now() - interval '{number} days'")}
        key = {"environment_id": ACCOUNT, "key": f"k{number}", "body_hash": b"", "run_id": new_id()}
        put(engine, "cron_trigger_fire", environment_id=ACCOUNT, created_at=OLD, **fire)
        put(engine, "idempotency_key", created_at=OLD, **key)
        put(engine, "daemon", id=f"d{number}", label="", group_key="g", status="stopped", updated_at=OLD)
        put(engine, "outbox", task="t", args=[new_id()], queue="q", created_at=OLD)
        put(engine, "direct_call", created_at=OLD, request_id=new_id(), **call)
        put(engine, "record", remote_id=str(number), data={}, sync_job_run_id=ended, sequence=number, **record)
        told = {"webhook_id": new_id(), "remote_id": str(number), "delivery_id": new_id(), "is_new": True}
        put(engine, "webhook_record", **told, **record)
        delivery(engine, ended, delivered_at=OLD, log_sequence=number)
        put(engine, "delivery", webhook_id=new_id(), event="e", body=b"", status="delivered", created_at=OLD)
        told = {"environment_id": ACCOUNT, "notification_destination_id": people, "event": "record:stale"}
        put(engine, "notification", kind="opened", message={}, created_at=OLD, sent_at=OLD, **told)
        put(engine, "incident", subject=str(number), facts={}, opened_at=OLD, closed_at=OLD, **told)
    # What is not over, or not sent, stays.
    put(engine, "notification", kind="opened", message={}, created_at=OLD, **told)
    put(engine, "incident", subject="open", facts={}, opened_at=OLD, **told)


def expired(store: RetentionStore) -> dict[str, bool]:
    return {found.id: found.may_go for found in store.find_expired_runs(seconds=90 * DAY, after=None, limit=100)}


def test_only_runs_that_ended_long_ago_expire(engine: Engine, store: RetentionStore) -> None:
    old = run(engine)
    run(engine, finished=text("now() - interval '80 days'"))
    run(engine, "running", finished=None)

    assert expired(store) == {old: True}


def test_last_completed_run_of_an_origin_stays_for_the_next_increment(engine: Engine, store: RetentionStore) -> None:
    earlier = run(engine, "completed", started=text("now() - interval '101 days'"))
    last = run(engine, "completed")

    assert expired(store) == {earlier: True, last: False}


def test_run_with_events_to_deliver_stays(engine: Engine, store: RetentionStore) -> None:
    waiting = run(engine)
    delivery(engine, waiting, "pending")

    assert expired(store) == {waiting: False}


def test_run_that_a_state_names_stays(engine: Engine, store: RetentionStore) -> None:
    """An erased account would leave the state behind, which nothing else names as its own."""
    named, other = run(engine), run(engine)
    state = {"state_key": "people", "key": "last", "value": {}, "sync_job_run_id": named}
    put(engine, "sync_job_run_state", environment_id=ACCOUNT, **state)

    assert expired(store) == {named: False, other: True}


def test_expired_runs_are_listed_on_from_a_place(engine: Engine, store: RetentionStore) -> None:
    ids = [run(engine, finished=text(f"now() - interval '{days} days'")) for days in (120, 110, 100)]

    first = store.find_expired_runs(seconds=90 * DAY, after=None, limit=2)
    rest = store.find_expired_runs(seconds=90 * DAY, after=first[-1].place, limit=2)

    assert [found.id for found in (*first, *rest)] == ids


def test_run_goes_with_all_that_belongs_to_it_a_batch_at_a_time(engine: Engine, store: RetentionStore) -> None:
    old, other = run(engine), run(engine)
    for run_id in (old, other):
        resource_id = resource(engine, run_id)
        for number in range(3):
            put(engine, "unit", run_id=run_id, kind="fetch", status="done")
            put(engine, "run_error", run_id=run_id, code="x", message="x")
            delivery(engine, run_id, log_sequence=number + 1)
        put(engine, "record_seen", resource_id=resource_id, remote_ids=["1"])

    batches = []
    while not (forgotten := store.prune_runs([old], seconds=90 * DAY, limit=2)).is_done:
        batches.append(forgotten.rows)

    # Three units, what was seen, three events, three errors; then the run.
    assert [*batches, forgotten.rows] == [2, 2, 2, 2, 2, 1]
    assert rows(engine, "sync_job_run") == [other]
    for table, left in (("unit", 3), ("run_error", 3), ("delivery", 3), ("record_seen", 1), ("run_resource", 1)):
        assert len(rows(engine, table)) == left
    assert rows(engine, "account_log", "trimmed_through") == ["3"]


def test_run_that_lives_again_is_left_alone(engine: Engine, store: RetentionStore) -> None:
    resumed = run(engine, "running", finished=None)

    assert store.prune_runs([resumed], seconds=90 * DAY, limit=10) == PrunedRuns(rows=0, is_done=True)
    assert rows(engine, "sync_job_run") == [resumed]


def test_run_whose_events_are_sent_again_is_left_alone(engine: Engine, store: RetentionStore) -> None:
    waiting, over = run(engine), run(engine)
    delivery(engine, waiting, "pending")

    assert store.prune_runs([waiting, over], seconds=90 * DAY, limit=10).is_done
    assert rows(engine, "sync_job_run") == [waiting]


def test_turn_prunes_more_runs_than_a_fleet_of_100_000_accounts_ends(engine: Engine, store: RetentionStore) -> None:
    """28 a second (docs/scaling.md), in one turn of at most two seconds and those batches that begin within it."""
    with engine.begin() as connection:
        connection.execute(text(_MANY_RUNS), {"id": ACCOUNT, "job": JOB})
    batches: list[float] = []
    duty = RunPruning(store, Pace(monotonic=lambda: 0.0, pause=batches.append), seconds=90 * DAY)

    assert duty.run_turn() is False

    # A transaction per thousand rows: however slow the machine is, it is not one per run.
    assert len(batches) <= 10
    for table in ("sync_job_run", "run_resource", "unit", "delivery", "run_error"):
        assert rows(engine, table) == []


@pytest.mark.parametrize(
    "kind",
    [
        *("bodies", "tombstones", "told", "told to nobody", "keys", "messages", "daemons", "fires", "calls"),
        *("announcements", "notifications", "incidents"),
    ],
)
def test_what_can_not_be_removed_is_passed_over(engine: Engine, store: RetentionStore, kind: str) -> None:
    """Each statement takes the place to begin at: one row is left when one is skipped."""
    fill_old(engine)
    aged = {} if kind in ("keys", "messages", "told to nobody") else {"seconds": 7 * DAY}

    assert [store.prune(kind, limit=10, skip=skip, **aged) for skip in (1, 0)] == [1, 1]


def test_bodies_of_delivered_events_go_and_the_log_tells_of_the_gap(engine: Engine, store: RetentionStore) -> None:
    run_id = run(engine)
    put(engine, "account_log", integrated_account_id=ACCOUNT, last_sequence=9, trimmed_through=2)
    for number in (3, 5):
        delivery(engine, run_id, delivered_at=OLD, log_sequence=number)
    kept = {
        delivery(engine, run_id, delivered_at=text("now()"), log_sequence=6),
        delivery(engine, run_id, "dead_lettered", delivered_at=None),
        delivery(engine, run_id, "pending"),
    }

    counts = [store.prune("bodies", seconds=7 * DAY, limit=10) for _ in range(2)]

    assert counts == [2, 0]
    with engine.connect() as connection:
        table = tables.delivery
        full = connection.execute(select(table.c.id).where(table.c.body != b"")).scalars()
        assert {str(id) for id in full} == kept
    assert rows(engine, "account_log", "trimmed_through") == ["5"]


def test_tombstones_go_and_living_records_stay(engine: Engine, store: RetentionStore) -> None:
    base = {"integrated_account_id": ACCOUNT, "resource": "users", "data": {}, "content_hash": b""}
    for remote_id, deleted_at in (("old", OLD), ("new", text("now()")), ("alive", None)):
        values = {**base, "remote_id": remote_id, "deleted_at": deleted_at, "sequence": 7}
        put(engine, "record", sync_job_run_id=new_id(), updated_at=OLD, **values)

    assert store.prune("tombstones", seconds=30 * DAY, limit=10) == 1

    assert rows(engine, "record", "remote_id") == ["alive", "new"]
    assert rows(engine, "account_log", "trimmed_through") == ["7"]


def test_keys_messages_and_daemons_that_bind_nobody_go(engine: Engine, store: RetentionStore) -> None:
    waiting = run(engine, "created", finished=None)
    for number, created_at in enumerate((OLD, text("now()"))):
        key = {"environment_id": ACCOUNT, "key": f"key-{number}", "body_hash": b"", "run_id": new_id()}
        put(engine, "idempotency_key", created_at=created_at, **key)
        put(engine, "daemon", id=f"d-{number}", label="", group_key="g", status="stopped", updated_at=created_at)
    put(engine, "daemon", id="d-alive", label="", group_key="g", status="active", updated_at=OLD)
    for run_id in (waiting, new_id(), new_id()):
        put(engine, "outbox", task="t", args=[run_id], queue="q", created_at=OLD)

    counts = (
        store.prune("keys", limit=10),
        store.prune("daemons", seconds=7 * DAY, limit=10),
        store.prune("messages", limit=1),
        store.prune("messages", limit=10),
        store.prune("messages", limit=10),
    )

    assert counts == (1, 1, 1, 1, 0)
    assert rows(engine, "idempotency_key", "key") == ["key-1"]
    assert rows(engine, "daemon") == ["d-1", "d-alive"]
    assert rows(engine, "outbox", "args") == [f"['{waiting}']"]


def test_what_a_deleted_webhook_was_told_goes_a_batch_at_a_time(engine: Engine, store: RetentionStore) -> None:
    hook = {"environment_id": ACCOUNT, "target_url": "http://x", "secret_encrypted": b""}
    kept, deleted = (put(engine, "webhook", **hook) for _ in range(2))
    for webhook_id in (new_id(), kept, deleted):
        for number in range(3):
            told = {"webhook_id": webhook_id, "remote_id": f"{number}", "delivery_id": new_id(), "is_new": True}
            put(engine, "webhook_record", integrated_account_id=ACCOUNT, resource="users", content_hash=b"", **told)
    with engine.begin() as connection:
        connection.execute(text("delete from webhook where id = :id"), {"id": deleted})

    counts = [store.prune("told to nobody", limit=4) for _ in range(3)]

    assert counts == [4, 2, 0]
    assert rows(engine, "webhook_record", "webhook_id") == [str(kept)] * 3


def test_direct_calls_go_once_they_are_old(engine: Engine, store: RetentionStore) -> None:
    call = {"environment_id": ACCOUNT, "api": "proxy", "method": "list", "response_status": 200, "duration_ms": 1}
    old = put(engine, "direct_call", created_at=OLD, request_id=new_id(), **call)
    kept = put(engine, "direct_call", request_id=new_id(), **call)

    counts = [store.prune("calls", seconds=90 * DAY, limit=1) for _ in range(2)]

    assert counts == [1, 0]
    assert rows(engine, "direct_call") == [str(kept)] != [str(old)]


def test_expired_runs_of_all_environments_are_listed_in_one_order(engine: Engine, store: RetentionStore) -> None:
    other = new_id()
    put(engine, "environment", id=other, name="other")
    ids = [run(engine, finished=text(f"now() - interval '{days} days'")) for days in (120, 115, 110, 100)]
    for run_id in ids[1:3]:
        with engine.begin() as connection:
            connection.execute(
                text("update sync_job_run set environment_id = :e where id = :id"), {"e": other, "id": run_id}
            )

    found = store.find_expired_runs(seconds=90 * DAY, after=None, limit=3)
    rest = store.find_expired_runs(seconds=90 * DAY, after=found[-1].place, limit=3)

    assert [one.id for one in (*found, *rest)] == ids
