"""Postgres refuses a status that is not known; the check of a large table keeps nobody waiting."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from app.engine.errors import InvalidInputError
from app.engine.objects.bulk_actions import BulkStatus
from app.engine.status import (
    AccountStatus,
    CursorStatus,
    DaemonStatus,
    DeliveryStatus,
    ResourceStatus,
    RunStatus,
    UnitStatus,
)
from app.store.db import migrate
from tests.support.servers import PostgresServer

_BEFORE = "0020"
_ROWS = 1_000_000 if os.environ.get("PROOFS") == "long" else 50_000
_TABLES = {
    "sync_job_run": RunStatus,
    "run_resource": ResourceStatus,
    "unit": UnitStatus,
    "delivery": DeliveryStatus,
    "daemon": DaemonStatus,
    "integrated_account": AccountStatus,
    "deleted_account": AccountStatus,
    "destination_cursor": CursorStatus,
    "bulk_action": BulkStatus,
}
_CHECKS = """
    select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
     where contype = 'c' and connamespace = 'public'::regnamespace and conname = conrelid::regclass || '_status'
"""
_FILL = (
    "insert into environment (id, name) values (gen_random_uuid(), 'all')",
    """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue)
    select id, id, id, id, 'running', '{}', '', '[]', '{}', 'q' from environment
    """,
    """
    insert into unit (id, run_id, kind, status)
    select gen_random_uuid(), id, 'fetch', 'ready' from sync_job_run, generate_series(1, %s)
    """,
)
_WRITE = "update unit set status = 'leased' where id = (select id from unit where status = 'ready' limit 1)"
_LONGEST_WAIT_SECONDS = 3.0
"""A second for the lock, and what a busy machine adds to it."""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.fresh_database(template="template0", is_direct=True) as made:
        migrate.upgrade(made, _BEFORE)
        with psycopg.connect(made) as connection:
            for statement in _FILL:
                connection.execute(statement, [_ROWS] if "%s" in statement else None)
        yield made


@contextmanager
def writing(url: str) -> Iterator[list[float]]:
    """Write without a pause; give how long each write took."""
    done, waits, faults = threading.Event(), [0.0], list[psycopg.Error]()

    def write() -> None:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                while not done.is_set():
                    began = time.monotonic()
                    connection.execute(_WRITE)
                    waits.append(time.monotonic() - began)
        except psycopg.Error as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        yield waits
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert faults == []


def test_writers_go_on_while_a_large_table_is_checked(url: str) -> None:
    with writing(url) as waits:
        migrate.upgrade(url)

    assert len(waits) > 10
    assert max(waits) < _LONGEST_WAIT_SECONDS
    with psycopg.connect(url) as connection:
        checks = dict(connection.execute(_CHECKS).fetchall())
        with pytest.raises(psycopg.errors.CheckViolation, match="unit_status"):
            connection.execute("update unit set status = 'lost'")
    assert set(checks) == set(_TABLES)
    assert not any("NOT VALID" in check for check in checks.values())


def test_migration_waits_for_a_long_transaction_and_nobody_waits_with_it(url: str) -> None:
    with psycopg.connect(url) as long, writing(url) as waits:
        long.execute("select from unit limit 1")
        migration = threading.Thread(target=migrate.upgrade, args=[url])
        migration.start()
        time.sleep(4)
        assert migration.is_alive()

        long.rollback()
        migration.join()

    assert max(waits) < _LONGEST_WAIT_SECONDS


def test_check_of_rows_waits_for_no_writer(url: str) -> None:
    migrate.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter table unit drop constraint unit_status")
        connection.execute("alter table unit add constraint unit_status check (status <> '') not valid")
    with psycopg.connect(url) as writer:
        writer.execute(_WRITE)

        migrate.upgrade(url)

        checks = dict(writer.execute(_CHECKS).fetchall())
    assert checks["unit"] == "CHECK ((status <> ''::text))"


def test_constraint_of_somebody_elses_table_stays_as_it_is(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table theirs (number int)")
        connection.execute("insert into theirs values (0)")
        connection.execute("alter table theirs add constraint positive check (number > 0) not valid")

        migrate.upgrade(database_url)

        row = connection.execute("select convalidated from pg_constraint where conname = 'positive'").fetchone()
    assert row == (False,)


def test_row_that_was_there_is_found_by_the_second_step(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update unit set status = 'lost' where id = (select id from unit limit 1)")

        with pytest.raises(InvalidInputError, match="unit: has a row that constraint 'unit_status' refuses"):
            migrate.upgrade(url)

        connection.execute("update unit set status = 'ready' where status = 'lost'")
        migrate.upgrade(url)
        assert not any("NOT VALID" in check for _, check in connection.execute(_CHECKS))


@pytest.mark.parametrize("table", _TABLES)
def test_statuses_of_the_code_are_those_that_postgres_takes(database_url: str, table: str) -> None:
    with psycopg.connect(database_url) as connection:
        checks: dict[str, Any] = dict(connection.execute(_CHECKS).fetchall())

    assert checks[table].split("'")[1::2] == list(_TABLES[table])
