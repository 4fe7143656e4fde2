"""A rebuild makes a target as Postgres is, in place: whatever happened to it, and with others' views on top."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import text

from app.engine.errors import InvalidInputError
from tests.support.lake import read_lake, show, stored
from tests.support.landing import Landing
from tests.support.pump_database import KilledError
from tests.support.target import TargetDatabase

_SURPLUS = [("surplus", 5, True), ("surplus-behind-the-log", 5, True)]
_LEFT = "select remote_id, n, deleted_at is not null from acme.tickets order by 1"
_SPOIL = (
    "update acme.tickets set n = 99 where remote_id = '1'",
    "update acme.tickets set n = 99, sequence = 1000 where remote_id = '2'",
    "delete from acme.tickets where remote_id = '3'",
    "insert into acme.tickets (account_id, tenant_id, remote_id, sequence, synced_at, n)"
    " select account_id, tenant_id, id, number, now(), 5 from acme.tickets,"
    " (values ('surplus', 2), ('surplus-behind-the-log', 1000)) made (id, number) where remote_id = '1'",
)


def _spoiled(landing: Landing, target: TargetDatabase, deletes: str) -> str:
    destination, account = landing.destination(target.config, deletes=deletes), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(1, 5)})
    landing.write(account, {"4": {"n": 4}}, deleted=True)
    landing.land()
    for statement in _SPOIL:
        target.execute(statement)
    return destination


@pytest.mark.parametrize("deletes", ["soft", "hard"])
def test_a_spoiled_table_is_as_postgres_is_and_stays_the_same_table(
    landing: Landing, target: TargetDatabase, deletes: str
) -> None:
    destination = _spoiled(landing, target, deletes)
    target.execute("create view public.mine as select remote_id, n from acme.tickets where deleted_at is null")
    oid = target.rows("select 'acme.tickets'::regclass::oid")

    shown = landing.api.landing.destinations.rebuild(landing.environment, destination)
    landing.land()

    assert (shown.status, shown.progress.rebuilding) == ("rebuilding", 1)
    soft = [("4", 4, True), *_SURPLUS]
    assert target.rows(_LEFT) == [
        ("1", 1, False),
        ("2", 2, False),
        ("3", 3, False),
        *(soft if deletes == "soft" else []),
    ]
    assert target.rows("select 'acme.tickets'::regclass::oid") == oid
    assert target.rows("select * from public.mine order by 1") == [("1", 1), ("2", 2), ("3", 3)]
    after = landing.api.landing.destinations.get(landing.environment, destination)
    assert (after.status, after.progress.rebuilding) == ("current", 0)
    assert landing.verify(destination).is_equal


def test_rows_that_are_the_same_are_not_written_again(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {str(n): {"n": n, "o": {"a": [n]}} for n in range(5)})
    landing.land()
    before = target.rows("select remote_id, xmin::text from acme.tickets order by 1")

    landing.api.landing.destinations.rebuild(landing.environment, destination)
    landing.land()

    assert target.rows("select remote_id, xmin::text from acme.tickets order by 1") == before
    (one,) = landing.cursors(destination)
    assert (one.read, one.unchanged) == (5, 5)


def test_a_daemon_that_dies_before_the_surplus_was_removed_is_followed(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _spoiled(landing, target, "hard")
    landing.api.landing.destinations.rebuild(landing.environment, destination)
    worker: Any = landing.daemon.destination_worker

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(worker._gaps, "fill", die)
        with pytest.raises(KilledError):
            landing.land()
    assert landing.api.landing.destinations.get(landing.environment, destination).progress.lag_records == 0

    landing.pass_time()
    landing.land()

    assert target.rows(_LEFT) == [("1", 1, False), ("2", 2, False), ("3", 3, False)]
    assert landing.verify(destination).is_equal


def test_a_backfill_of_what_is_being_rebuilt_leaves_it_a_rebuild(landing: Landing, target: TargetDatabase) -> None:
    destination = _spoiled(landing, target, "hard")
    service = landing.api.landing.destinations
    for _ in range(2):
        service.rebuild(landing.environment, destination)
    shown = service.backfill(landing.environment, destination, from_sequence=3)

    landing.land()

    assert (shown.status, service.get(landing.environment, destination).status) == ("rebuilding", "current")
    assert landing.verify(destination).is_equal


def test_states_that_are_nowhere_else_are_not_rebuilt(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config, mode="append")

    with pytest.raises(InvalidInputError) as refused:
        landing.api.landing.destinations.rebuild(landing.environment, destination)

    assert [failure.path for failure in refused.value.failures] == ["mode"]


@pytest.mark.parametrize("deletes", ["soft", "hard"])
def test_a_file_of_duckdb_is_rebuilt_in_place(database_url: str, tmp_path: Path, deletes: str) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        datastore = landing.datastore({"path": "records.duckdb"}, "duckdb")
        body = {"datastore_id": datastore, "daemon_group_key": "default", "deletes": deletes}
        destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
        account = landing.account()
        landing.write(account, {str(n): {"n": n} for n in range(1, 4)})
        landing.land()
        with duckdb.connect(str(tmp_path / "records.duckdb")) as connection:
            for statement in _SPOIL:
                connection.execute(statement)

        landing.api.landing.destinations.rebuild(landing.environment, destination)
        landing.land()

        with duckdb.connect(str(tmp_path / "records.duckdb"), read_only=True) as connection:
            rows = connection.execute(_LEFT).fetchall()
        kept = [("1", 1, False), ("2", 2, False), ("3", 3, False)]
        assert rows == [*kept, *(_SURPLUS if deletes == "soft" else [])]
        assert landing.verify(destination).is_equal
    finally:
        landing.close()


def test_files_are_rebuilt_beside_the_old_ones_whose_place_they_take(database_url: str, tmp_path: Path) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        body = {"datastore_id": landing.datastore({"path": "lake"}, "filesystem")}
        destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
        landing.write(landing.account(), {str(n): {"n": n} for n in range(1, 4)})
        landing.land()
        with landing.engine.begin() as connection:
            connection.execute(text("delete from record where remote_id = '2'"))
        before = read_lake(tmp_path / "lake")

        landing.api.landing.destinations.rebuild(landing.environment, destination)
        landing.land()

        assert [row["remote_id"] for row in before] == ["1", "2", "3"]
        assert show(read_lake(tmp_path / "lake")) == stored(landing)
    finally:
        landing.close()
