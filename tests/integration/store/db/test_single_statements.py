"""Single statements are sent past SQLAlchemy's engine, and keep its manners: dead connections, faults, an end."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import StoreOutdatedError, StoreUnavailableError
from app.store.db import autocommit
from app.store.db.autocommit import Autocommit, autocommit_of, transaction
from app.store.db.connections import Connections
from app.store.db.database import connect, driver_cursor
from tests.support.patience import WaitFor

_PID = text("select pg_backend_pid() as pid, cast(:name as text) as name")
_OTHERS = text("select count(*) from pg_stat_activity where pid = :pid")
_FIND = text("select id from grown where id = :id")
_READ = text("select seq_tup_read from pg_stat_xact_user_tables where relname = 'grown'")
_END = text("select pg_terminate_backend(:pid, 5000)")


@pytest.fixture
def engine(direct_database_url: str) -> Iterator[Engine]:
    made = connect(direct_database_url, pool_size=2, is_pooled=False)
    yield made
    made.dispose()


@pytest.fixture
def singles(engine: Engine) -> Autocommit:
    return autocommit_of(engine)


def test_table_that_is_not_there_yet_is_told_as_a_database_to_migrate(engine: Engine, singles: Autocommit) -> None:
    with pytest.raises(StoreOutdatedError, match="ferryman migrate"):
        singles.all(text("select name from of_a_later_version"), {})
    with pytest.raises(StoreOutdatedError), engine.connect() as connection:
        connection.execute(text("select of_a_later_version from sync_job_run"))
    with pytest.raises(StoreOutdatedError), engine.begin() as connection, driver_cursor(connection) as cursor:
        cursor.execute("select name from of_a_later_version")


def test_changes_are_committed_at_once(engine: Engine, singles: Autocommit) -> None:
    assert singles.count(text("create table noted (name text)"), {}) == -1
    assert singles.count(text("insert into noted values (:name), (:name)"), {"name": "50 % of it"}) == 2

    with engine.connect() as connection:
        assert list(connection.execute(text("select name from noted")).scalars()) == ["50 % of it"] * 2
    assert singles.all(text("select name from noted"), {}) == [{"name": "50 % of it"}] * 2
    assert singles.one(text("select name from noted where name = :name"), {"name": "none"}) is None


def test_transaction_over_a_lent_connection_is_kept_whole_or_not_at_all(singles: Autocommit) -> None:
    singles.count(text("create table kept (name text)"), {})

    def write(connection: Any, *, fails: bool) -> None:
        with transaction(connection):
            connection.execute("insert into kept values ('one')")
            if fails:
                raise ValueError("half done")
            connection.execute("insert into kept values ('two')")

    with pytest.raises(ValueError, match="half done"):
        singles.lend(lambda connection: write(connection, fails=True))
    assert singles.all(text("select name from kept"), {}) == []
    singles.lend(lambda connection: write(connection, fails=False))
    assert singles.all(text("select name from kept"), {}) == [{"name": "one"}, {"name": "two"}]


def test_connection_that_comes_back_within_a_transaction_is_not_used_again(singles: Autocommit) -> None:
    def keep_open(connection: Any) -> int:
        connection.autocommit = False
        return int(connection.execute("select pg_backend_pid() as pid").fetchone()["pid"])

    assert singles.lend(keep_open) != _pid(singles)


def test_one_connection_serves_one_after_the_other(singles: Autocommit) -> None:
    assert len({_pid(singles) for _ in range(5)}) == 1


def test_connection_that_died_while_it_rested_is_replaced(
    engine: Engine, singles: Autocommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autocommit, "LONGEST_REST_SECONDS", 0.0)
    dead = _pid(singles)
    with engine.begin() as connection:
        connection.execute(_END, {"pid": dead})

    assert _pid(singles) != dead


def test_read_whose_connection_died_is_asked_again(engine: Engine, singles: Autocommit) -> None:
    dead = _pid(singles)
    with engine.begin() as connection:
        connection.execute(_END, {"pid": dead})

    assert _pid(singles) != dead


def test_change_whose_connection_died_is_a_fault_that_passes(engine: Engine, singles: Autocommit) -> None:
    """It may have been made, or not: whoever asked for it has to look."""
    with engine.begin() as connection:
        connection.execute(text("create table changed (name text)"))
    dead = _pid(singles)
    with engine.begin() as connection:
        connection.execute(_END, {"pid": dead})

    with pytest.raises(StoreUnavailableError):
        singles.count(text("insert into changed values ('x')"), {})

    assert singles.all(text("select name from changed"), {}) == []


def test_server_that_is_away_is_a_fault_that_passes() -> None:
    away = Autocommit(Connections(url="postgresql://nobody@127.0.0.1:9/none"), pool_size=1)

    with pytest.raises(StoreUnavailableError):
        _pid(away)


def test_connections_end_with_their_engine(direct_database_url: str, engine: Engine, wait_for: WaitFor) -> None:
    ended = connect(direct_database_url, is_pooled=False)
    pid = _pid(autocommit_of(ended))
    ended.dispose()

    others = autocommit_of(engine)
    wait_for(lambda: others.one(_OTHERS, {"pid": pid}) == {"count": 0})
    assert _pid(autocommit_of(ended)) != pid
    ended.dispose()


def _pid(singles: Autocommit) -> int:
    row = singles.one(_PID, {"name": "x"})
    assert row is not None
    return int(row["pid"])


def test_rows_are_found_by_their_key_even_if_the_table_was_known_as_empty(singles: Autocommit) -> None:
    """A plan is kept: one of a table without rows must not read the whole table for ever after."""
    singles.count(text("create table grown (id integer primary key) with (autovacuum_enabled = off)"), {})
    singles.count(text("vacuum analyze grown"), {})
    assert singles.one(_FIND, {"id": 7}) is None
    singles.count(text("insert into grown select generate_series(1, 10000)"), {})

    singles.count(text("begin"), {})
    found = singles.one(_FIND, {"id": 7})
    read = singles.one(_READ, {})
    singles.count(text("commit"), {})

    assert (found, read) == ({"id": 7}, {"seq_tup_read": 0})
