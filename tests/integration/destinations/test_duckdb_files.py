"""Tables in a file of DuckDB: exactly once, through changes, deaths and rivals."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app import failpoints
from app.destinations.duckdb.writer import DuckDbWriter
from app.engine.errors import DestinationError
from app.engine.ids import new_id
from app.engine.objects.destinations import DatastoreType, Deletes, WriteMode
from app.engine.schemas.columns import Column, ColumnType, ResourceSchema
from app.services.destinations.ports import Batch, LoggedRecord, LogRange, Target
from tests.support.file_rows import TIME
from tests.support.landing import Landing
from tests.support.pump_database import KilledError

_HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "directory"


@pytest.fixture
def landing(database_url: str, directory: Path) -> Iterator[Landing]:
    place = Landing(database_url, {"destination_directory": str(directory)})
    yield place
    place.close()


def destination(landing: Landing, **fields: Any) -> str:
    datastore_id = landing.datastore({"path": "lake"}, "duckdb")
    body = {"datastore_id": datastore_id, "daemon_group_key": "default", **fields}
    return landing.api.landing.destinations.create(landing.environment, body).destination.id


def rows(file: Path, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(statement).fetchall()


def held(landing: Landing) -> list[tuple[Any, ...]]:
    found = landing.rows(
        "select integrated_account_id::text as account, remote_id, sequence, deleted_at from record"
        " where resource = 'tickets' order by 1, remote_id collate \"C\""
    )
    return [(row["account"], row["remote_id"], row["sequence"], row["deleted_at"]) for row in found]


def shown(file: Path) -> list[tuple[Any, ...]]:
    found = rows(file, "select account_id, remote_id, sequence, deleted_at from acme.tickets order by 1, 2")
    return [(*row[:3], row[3] and row[3].astimezone(UTC)) for row in found]


@pytest.mark.parametrize("deletes", [str(one) for one in Deletes])
def test_tables_hold_what_postgres_holds(landing: Landing, directory: Path, deletes: str) -> None:
    made, file = destination(landing, deletes=deletes), directory / "lake.duckdb"
    accounts = [landing.account(), landing.account("u")]
    for account in accounts:
        landing.write(account, {"1": {"n": 1, "name": "é"}, "2": {"n": 2**70}, "3": ["no object"], "4": {}})
    landing.land()
    landing.write(accounts[0], {"1": {"n": "text", "deep": {"a": [1]}}})
    landing.write(accounts[1], {"2": {}}, deleted=True)

    landing.land()

    everything = held(landing)
    assert shown(file) == [row for row in everything if deletes == "soft" or row[3] is None]
    typed = f"from acme.tickets where account_id = '{accounts[0]}' and remote_id in ('1', '2') order by remote_id"
    assert rows(file, f"select n, n__text, name, deep->>'$.a[0]' {typed}") == [
        (None, "text", None, "1"),
        (Decimal(2**70), None, None, None),
    ]
    assert landing.verify(made).is_equal


def test_a_daemon_that_dies_after_the_commit_leaves_nothing_doubled(
    landing: Landing, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = destination(landing, mode="append")
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    left = [1]

    def die(_: object) -> None:
        if left:
            left.pop()
            raise KilledError

    monkeypatch.setattr(failpoints, "hit", die)
    with pytest.raises(KilledError):
        landing.land()
    landing.write(account, {"1": {"n": 3}})

    landing.pass_time()
    landing.land()

    states = rows(directory / "lake.duckdb", "select remote_id, n, sequence from acme.tickets order by 3")
    assert states == [("1", 1, 1), ("2", 2, 2), ("1", 3, 3)]
    assert landing.verify(made).is_equal


def test_each_tenant_has_a_file_of_its_own(landing: Landing, directory: Path) -> None:
    destination(landing, layout="tenant")
    for tenant in ("a", "b/c"):
        landing.write(landing.account(tenant), {"1": {"n": 1}})

    landing.land()

    assert sorted(file.name for file in (directory / "lake").iterdir()) == ["a.duckdb", "b%2Fc.duckdb"]
    assert rows(directory / "lake" / "a.duckdb", "select tenant_id, n from acme.tickets") == [("a", 1)]


def test_a_file_that_another_process_has_open_is_named_and_tried_again(landing: Landing, directory: Path) -> None:
    destination(landing)
    landing.write(landing.account(), {"1": {"n": 1}})
    directory.mkdir()
    command = [sys.executable, "-c", _HOLD, str(directory / "lake.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        landing.land(may_fail=True)
        (failed,) = landing.rows("select error_code, last_error from destination_cursor")
        other.communicate()

    landing.pass_time()
    landing.land()

    assert failed["error_code"] == "file_in_use"
    assert "one process at a time" in failed["last_error"]
    assert len(shown(directory / "lake.duckdb")) == 1


def test_erasing_removes_an_accounts_rows(landing: Landing, directory: Path) -> None:
    destination(landing)
    kept, gone = landing.account(), landing.account()
    for account in (kept, gone):
        landing.write(account, {"1": {"n": 1}})
        landing.write(account, {"1": {"n": 1}}, resource="users")
    landing.land()

    landing.erase(gone, "users")
    landing.erase(gone, None)

    file = directory / "lake.duckdb"
    assert [row[0] for row in shown(file)] == [kept]
    assert rows(file, "select account_id from acme.users") == [(kept,)]


def test_test_leaves_no_file(landing: Landing, directory: Path) -> None:
    datastore_id = landing.datastore({"path": "lake"}, "duckdb")

    facts = landing.api.landing.datastores.test(landing.environment, datastore_id)

    assert facts == {"writes": True, "duckdb_version": duckdb.__version__}
    assert [*directory.iterdir()] == []


SCHEMA = ResourceSchema(
    environment_id="e",
    integration_name="acme",
    resource="tickets",
    columns=[Column(name="n", key="n", type=ColumnType.BIGINT)],
)


def log_range(records: list[LoggedRecord], **fields: Any) -> LogRange:
    own = {"environment_id": "e", "environment_name": "e", "account_id": "a", "tenant_id": "t", "epoch": 0}
    numbers = {"first_sequence": 1, "last_sequence": max((record.sequence for record in records), default=1)}
    batch = Batch(resource="tickets", schema=SCHEMA, records=records)
    return LogRange(**{**own, "integration_name": "acme", **numbers, "batches": [batch], **fields})


def writer(directory: Path, **fields: Any) -> DuckDbWriter:
    config = {"path": "lake"}
    own = {"destination_id": new_id(), "environment_id": "e", "environment_name": "e", "type": DatastoreType.DUCKDB}
    return DuckDbWriter(Target(**{**own, "config": config, **fields}), directory / "lake")


def record(sequence: int, n: int, **fields: Any) -> LoggedRecord:
    return LoggedRecord(**{"remote_id": "1", "sequence": sequence, "synced_at": TIME, "data": {"n": n}, **fields})


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_of_two_rows_with_one_key_the_last_state_is_kept(directory: Path, order: list[int]) -> None:
    made = writer(directory)

    made.write(log_range([record(number, number) for number in order]), fence=1)
    made.close()

    assert rows(directory / "lake.duckdb", "select n, sequence from acme.tickets") == [(2, 2)]


def test_an_older_state_changes_nothing(directory: Path) -> None:
    made = writer(directory)
    made.write(log_range([record(5, 5)]), fence=1)

    written = made.write(log_range([record(3, 3)], epoch=1), fence=1)

    assert (written.written, written.unchanged) == (0, 1)


def test_a_record_that_is_gone_keeps_its_columns(directory: Path) -> None:
    made = writer(directory)
    made.write(log_range([record(5, 5)]), fence=1)
    gone = record(9, 0, data=None, deleted_at=TIME, is_absent=True)

    written = made.write(log_range([gone], first_sequence=10, last_sequence=9, listing="tickets-0"), fence=1)
    made.close()

    assert written.written == 1
    (found,) = rows(directory / "lake.duckdb", "select n, sequence, deleted_at is not null from acme.tickets")
    assert found == (5, 9, True)


def test_a_table_of_another_mode_is_refused(directory: Path) -> None:
    first = writer(directory)
    first.write(log_range([record(1, 1)]), fence=1)
    first.close()

    with pytest.raises(DestinationError) as refused:
        writer(directory, mode=WriteMode.APPEND).write(log_range([record(1, 1)]), fence=1)

    assert refused.value.code == "other_mode"
    assert json.dumps(refused.value.message)
