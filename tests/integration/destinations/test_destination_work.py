"""Destinations read the log: each on its own, through deaths, gaps and rivals, and none of it is lost or doubled."""

import threading
from typing import Any

import pytest
from sqlalchemy import text

from app import failpoints, tracing
from app.bootstrap.destinations import build_destination_dispatcher
from app.broker import tasks
from app.destinations.postgres.connection import connect, read_place
from app.destinations.postgres.kept import KeptConnections
from app.engine.errors import LeaseLostError
from app.net.addresses import AllowedNetworks
from app.services.destinations import gaps, writing
from app.services.destinations.opening import open_writer
from app.services.destinations.work import Claimed, CursorClaim, Moved
from app.store.destinations.cursors import CursorStore
from app.store.destinations.due import DueCursors
from tests.support.landing import Landing
from tests.support.pump_database import KilledError
from tests.support.target import TargetDatabase

_ALL = "select remote_id, n from acme.tickets order by 1"


def _kill_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next process die between the target's commit and the cursor's."""
    left = [1]

    def die(_: object) -> None:
        if left:
            left.pop()
            raise KilledError

    monkeypatch.setattr(failpoints, "hit", die)


def test_a_daemon_that_dies_after_the_write_leaves_nothing_doubled(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, account = landing.destination(target.config, mode="append"), landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    _kill_once(monkeypatch)
    with pytest.raises(KilledError):
        landing.land()
    (before,) = landing.cursors(destination)
    landing.write(account, {"1": {"n": 3}})

    landing.pass_time()
    spans = list[tracing.Span]()
    tracing.start(spans.append)
    landing.land()
    tracing.stop()

    write, *_ = (span for span in spans if span.name == "write to the datastore")
    (whole,) = (span for span in spans if span.id == write.parent_id)
    assert (whole.name, whole.trace_id, whole.parent_id) == ("slice of a destination", write.trace_id, None)
    assert whole.attributes == {"ferryman.destination.id": destination, "ferryman.account.id": account}
    (after,) = landing.cursors(destination)
    assert (before.cursor, after.cursor, after.read) == (0, 3, after.written + after.unchanged)
    states = target.rows("select remote_id, n, sequence from acme.tickets order by sequence")
    assert states == [("1", 1, 1), ("2", 2, 2), ("1", 3, 3)]
    assert landing.verify(destination).is_equal


def test_a_range_that_was_begun_keeps_its_end(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.destination(target.config)
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    _kill_once(monkeypatch)
    with pytest.raises(KilledError):
        landing.land()
    landing.write(account, {"3": {"n": 3}})
    ends: list[int] = []
    move = CursorStore.move

    def note_end(self: CursorStore, claim: CursorClaim, moved: Moved) -> None:
        ends.append(moved.through)
        move(self, claim, moved)

    monkeypatch.setattr(CursorStore, "move", note_end)

    landing.pass_time()
    landing.land()

    assert ends == [2, 3]


def test_whoever_lost_the_lease_writes_nothing_at_the_target(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.dispatch()
    cursors = CursorStore(landing.engine, landing.shared.cipher)
    slow = _claim(cursors, destination, account)
    landing.pass_time()
    landing.land()
    landing.write(account, {"1": {"n": 2}})

    with pytest.raises(LeaseLostError):
        _write_all(landing, slow)

    assert target.rows(_ALL) == [("1", 1)]
    assert not cursors.fix_range(slow.claim, 9)


def _claim(cursors: CursorStore, destination: str, account: str) -> Claimed:
    claim = cursors.claim(destination, account, owner="slow", lease_seconds=30, most_of_destination=9)
    assert claim is not None
    claimed = cursors.load(claim)
    assert claimed is not None
    return claimed


def _write_all(landing: Landing, claimed: Claimed) -> None:
    worker: Any = landing.daemon.destination_worker
    writer = open_writer(worker._writers, claimed)
    try:
        walk = writing._Walk(worker._stores, writer, claimed, landing.shared.clock, worker._gaps)
        part = walk._read(())
        log_range, _ = walk._build_range(part)
        writer.write(log_range, fence=claimed.claim.fence)
    finally:
        writer.close()


def test_two_daemons_at_one_destination_write_each_record_once(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config, mode="append")
    accounts = [landing.account(f"t{n}") for n in range(4)]
    for account in accounts:
        landing.write(account, {str(n): {"n": n} for n in range(50)})
    other = Landing.beside(landing)
    landing.dispatch()
    messages = landing.take()

    threads = [
        threading.Thread(target=place.daemon.destination_worker.work, args=message)
        for message in messages
        for place in (landing, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    landing.land()

    assert target.rows("select count(*), count(distinct (account_id, remote_id)) from acme.tickets") == [(200, 200)]
    assert {(one.cursor, one.read, one.written) for one in landing.cursors(destination)} == {(50, 50, 50)}
    other.close()


def test_what_vanished_in_a_gap_is_deleted_at_the_target(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}, "3": {"n": 3}})
    landing.land()
    landing.api.landing.destinations.pause(landing.environment, destination)
    landing.write(account, {"2": {"n": 2}}, deleted=True)
    landing.write(account, {"4": {"n": 4}})
    _forget(landing, account, "2")

    landing.api.landing.destinations.resume(landing.environment, destination)
    landing.land()

    rows = target.rows("select remote_id, n, deleted_at is not null from acme.tickets order by 1")
    assert rows == [("1", 1, False), ("2", 2, True), ("3", 3, False), ("4", 4, False)]
    (one,) = landing.cursors(destination)
    assert (one.cursor, one.lag_records) == (5, 0)


def _forget(landing: Landing, account: str, remote_id: str) -> None:
    """Do what retention does to a tombstone."""
    with landing.engine.begin() as connection:
        values = {"account": account, "id": remote_id}
        connection.execute(
            text("delete from record where integrated_account_id = :account and remote_id = :id"), values
        )
        trim = "update account_log set trimmed_through = last_sequence - 1 where integrated_account_id = :account"
        connection.execute(text(trim), {"account": account})


def test_fifty_destinations_of_one_account_all_get_everything_in_turn(landing: Landing, target: TargetDatabase) -> None:
    datastore = landing.datastore(target.config)
    made = [
        landing.api.landing.destinations.create(
            landing.environment, {"datastore_id": datastore, "options": {"schema": f"copy_{number}"}}
        ).destination.id
        for number in range(50)
    ]
    landing.write(landing.account(), {str(n): {"n": n} for n in range(3)})
    landing.dispatch()
    first = [message[0] for message in landing.take()]

    landing.land()

    assert sorted(first) == sorted(made)
    progress = landing.api.landing.destinations.list(landing.environment, landing.everything).result
    assert {(one.status, one.progress.written + one.progress.unchanged) for one in progress} == {("current", 3)}


def test_two_hundred_resources_of_one_account_all_land(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    for number in range(200):
        landing.write(account, {"1": {"n": number}}, resource=f"resource-{number}")

    landing.land()

    tables = target.rows("select count(*) from information_schema.tables where table_schema = 'acme'")
    assert tables == [(200,)]
    assert target.rows("select n from acme.resource_199") == [(199,)]
    found = landing.verify(destination)
    assert (found.is_equal, found.compared, found.is_complete) == (True, 200, True)


def test_a_destination_that_is_down_keeps_no_other_waiting(landing: Landing, target: TargetDatabase) -> None:
    down = landing.destination({**target.config, "port": 1})
    sound = landing.destination(target.config)
    accounts = [landing.account() for _ in range(3)]
    for account in accounts:
        landing.write(account, {"1": {"n": 1}})

    landing.land(may_fail=True)

    services = landing.api.landing.destinations
    assert services.get(landing.environment, sound).status == "current"
    shown = services.get(landing.environment, down)
    assert (shown.status, shown.progress.failing, shown.progress.lag_records) == ("failing", 3, 3)
    assert "can not be reached" in str(shown.progress.last_error)
    assert all(one.attempts >= 1 and one.due_at > one.failing_since for one in landing.cursors(down))


def test_a_paused_destination_writes_nothing(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.land()
    landing.api.landing.destinations.pause(landing.environment, destination)
    landing.write(account, {"1": {"n": 2}})

    landing.land()

    assert target.rows(_ALL) == [("1", 1)]
    assert landing.api.landing.destinations.get(landing.environment, destination).status == "paused"
    landing.api.landing.destinations.resume(landing.environment, destination)
    landing.land()
    assert target.rows(_ALL) == [("1", 2)]


def test_a_target_that_was_restored_is_filled_from_there(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.land()
    landing.write(account, {"2": {"n": 2}})
    landing.land()
    target.execute("delete from acme.tickets where remote_id = '2'")
    target.execute("update ferryman._ferryman_cursor set cursor = 1")
    landing.write(account, {"3": {"n": 3}})

    landing.land()

    assert target.rows(_ALL) == [("1", 1), ("2", 2), ("3", 3)]
    assert landing.verify(destination).is_equal


@pytest.mark.parametrize("resource", [None, "tickets"], ids=["account", "resource"])
def test_what_is_erased_is_erased_where_it_landed(
    landing: Landing, target: TargetDatabase, resource: str | None
) -> None:
    destination = landing.destination(target.config)
    account, other = landing.account(), landing.account()
    for one in (account, other):
        landing.write(one, {"1": {"n": 1}})
        landing.write(one, {"1": {"n": 1}}, resource="users")
    landing.land()

    landing.erase(account, resource)
    landing.land()

    left = {"tickets": [(other,)], "users": [(other,)] if resource is None else sorted([(other,), (account,)])}
    for table, accounts in left.items():
        assert target.rows(f"select account_id::text from acme.{table} order by 1") == accounts
    kept = {one.integrated_account_id for one in landing.cursors(destination)}
    assert kept == ({other} if resource is None else {account, other})
    (erasure,) = landing.rows("select erased, finished_at from erasure")
    assert erasure["finished_at"] is not None
    assert erasure["erased"][f"destination {destination}"] == (2 if resource is None else 1)


def test_messages_hold_ids_alone(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}})

    landing.dispatch()

    (message,) = landing.mailbox.waiting
    assert (message.task, message.args) == (tasks.WRITE_DESTINATION, (destination, account))


def test_the_datastores_password_is_nowhere_in_clear(landing: Landing, target: TargetDatabase) -> None:
    id = landing.datastore({"url": f"postgres://owner:the-only-secret@127.0.0.1:{target.server.port}/x"})

    everything = landing.rows("select d::text from datastore d")

    assert "the-only-secret" not in str(everything)
    assert "the-only-secret" not in repr(landing.api.landing.datastores.get(landing.environment, id))


def test_daemons_without_room_are_not_sent_the_same_again_and_again(database_url: str, target: TargetDatabase) -> None:
    place = Landing(database_url, {"destination_slices": 1})
    try:
        destination = place.destination(target.config)
        accounts = [place.account() for _ in range(3)]
        for account in accounts:
            place.write(account, {"1": {"n": 1}})
        place.dispatch()
        messages = place.take()
        worker: Any = place.daemon.destination_worker
        with worker._room:
            for message in messages:
                worker.work(*message)
            dispatcher = build_destination_dispatcher(place.shared, place.settings)
            dispatcher.dispatch_due()
            again = place.take()

        worker.work(*messages[0])

        assert (len(messages), again) == (3, [])
        # The slice that has ended has the next one written at once.
        (following,) = place.take()
        assert following in messages[1:]
        assert sum(one.written for one in place.cursors(destination)) == 1
    finally:
        place.close()


def test_what_was_put_back_takes_the_place_of_other_messages(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config)
    for _ in range(3):
        landing.write(landing.account(), {"1": {"n": 1}})
    landing.dispatch()
    due = DueCursors(landing.engine, default_group="default")
    for message in landing.take()[:2]:
        due.put_back(*message, seconds=60.0)

    def dispatch(limit: int) -> int:
        with landing.engine.begin() as connection:
            connection.execute(text("update destination_cursor set rung_at = null"))
        return len(due.dispatch_due(most_of_destination=9, ring_after_seconds=30, limit=limit))

    assert [dispatch(2), dispatch(3)] == [0, 1]
    assert due.next_of(destination, ring_after_seconds=30) is not None


def test_slices_use_one_connection_to_a_target_one_after_the_other(landing: Landing, target: TargetDatabase) -> None:
    landing.destination(target.config)
    account = landing.account()
    pids = set()
    for n in range(3):
        landing.write(account, {str(n): {"n": n}})
        landing.land()
        pids |= set(target.rows(_SESSIONS))

    assert len(pids) == 1


_SESSIONS = "select pid from pg_stat_activity where application_name = 'ferryman' and datname = current_database()"


def test_a_kept_connection_that_was_ended_is_replaced_unseen(landing: Landing, target: TargetDatabase) -> None:
    landing.destination(target.config)
    account = landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.land()
    target.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ferryman'")
    landing.write(account, {"2": {"n": 2}})

    landing.land()

    assert target.rows(_ALL) == [("1", 1), ("2", 2)]


def test_a_connection_that_nobody_uses_is_closed(target: TargetDatabase) -> None:
    now = [0.0]
    kept = KeptConnections(idle_seconds=3600, monotonic=lambda: now[0])
    place = read_place(target.config)
    one, other, broken = (connect(place, AllowedNetworks.parse("127.0.0.0/8")) for _ in range(3))
    for connection in (one, other):
        connection.autocommit = True
    broken.execute("select 1")
    kept.give_back(place, one)
    now[0] = 3000.0
    kept.give_back(place, other)
    kept.give_back(place, broken)

    now[0] = 4000.0
    kept.close_idle()

    assert (one.closed, other.closed, broken.closed) == (True, False, True)
    assert (kept.take(place), kept.take(place)) == (other, None)
    other.close()


def test_a_gap_is_compared_to_its_end_also_behind_keys_that_have_changed_meanwhile(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "KEYS_AT_ONCE", 2)
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(1, 5)})
    landing.land()
    landing.api.landing.destinations.pause(landing.environment, destination)
    landing.write(account, {"4": {"n": 4}}, deleted=True)
    landing.write(account, {"5": {"n": 5}})
    _forget(landing, account, "4")
    target.execute("update acme.tickets set sequence = 1000 where remote_id in ('1', '2')")

    landing.api.landing.destinations.resume(landing.environment, destination)
    landing.land()

    gone = target.rows("select remote_id from acme.tickets where deleted_at is not null")
    assert gone == [("4",)]


@pytest.mark.parametrize("is_rebuild", [False, True], ids=["gap", "rebuild"])
def test_what_is_surplus_stays_while_a_destination_is_paused_and_goes_after(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch, is_rebuild: bool
) -> None:
    monkeypatch.setattr(gaps, "KEYS_AT_ONCE", 1)
    services, worker = landing.api.landing.destinations, landing.daemon.destination_worker
    destination, account = landing.destination(target.config, deletes="hard"), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(1, 4)})
    landing.land()
    landing.write(account, {"1": {}, "2": {}}, deleted=True)
    for gone in ("1", "2"):
        _forget(landing, account, gone)
    if is_rebuild:
        services.rebuild(landing.environment, destination)
    log: Any = worker._gaps._log
    find = log.find_absent

    def pause_then_find(*given: Any) -> object:
        services.pause(landing.environment, destination)
        return find(*given)

    with monkeypatch.context() as patched:
        patched.setattr(log, "find_absent", pause_then_find)
        landing.land()
    during = target.rows(_ALL)
    services.resume(landing.environment, destination)
    landing.land()

    assert during == [("1", 1), ("2", 2), ("3", 3)]
    assert target.rows(_ALL) == [("3", 3)]
    assert services.get(landing.environment, destination).status == "current"
