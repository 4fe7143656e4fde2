"""What DATABASE_URL says is kept, and sessions of a Postgres that took no changes for a while are not."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow
from sqlalchemy import Engine, text

from app.engine.errors import StoreReadOnlyError, StoreUnavailableError
from app.services.maintenance.health import StoreState
from app.stack import postgres
from app.store.db import migrate
from app.store.db.autocommit import autocommit_of
from app.store.db.connections import Connections
from app.store.db.database import connect, connect_unpooled, drop_sessions, state_of
from tests.support.patience import wait_for
from tests.support.servers import PostgresServer

SETTINGS = text("""
    select current_setting('search_path') as search_path, current_setting('application_name') as name,
           current_setting('statement_timeout') as statement_timeout, current_setting('timezone') as timezone,
           current_setting('idle_in_transaction_session_timeout') as idles
""")
KEPT = {
    "search_path": "own",
    "name": "mine",
    "statement_timeout": "50s",
    "timezone": "UTC",
    "idles": "10s",
}
OPTIONS = "&options=-c%20search_path%3Down%20-c%20statement_timeout%3D50s%20-c%20timezone%3DAsia/Tokyo"
OPEN = text("select pid from pg_stat_activity where pid = any(cast(:pids as int[]))")
WRITE = text("update environment set name = name")


@pytest.fixture
def engine(direct_database_url: str) -> Iterator[Engine]:
    made = connect(direct_database_url, pool_size=2, is_pooled=False, prepares=True)
    yield made
    made.dispose()


def test_options_of_the_url_are_kept_on_every_connection(direct_database_url: str) -> None:
    engine = connect(f"{direct_database_url}{OPTIONS}&application_name=mine", is_pooled=False)

    with engine.connect() as connection, connect_unpooled(engine).connect() as single_use:
        found = [dict(one.execute(SETTINGS).mappings().one()) for one in (connection, single_use)]
    found.append(dict(autocommit_of(engine).one(SETTINGS, {}) or {}))

    assert found == [KEPT] * 3
    engine.dispose()


def test_parameters_of_the_url_are_kept_beside_our_own() -> None:
    url = "postgresql://u:p%40ss@one:5432,two:5433/db?connect_timeout=3&sslmode=verify-full&target_session_attrs=any"

    arguments = Connections(url=url).arguments()

    assert arguments.pop("options").startswith("-c timezone=UTC")
    assert arguments == {
        "user": "u",
        "password": "p@ss",
        "host": "one,two",
        "port": "5432,5433",
        "dbname": "db",
        "connect_timeout": "3",
        "sslmode": "verify-full",
        "target_session_attrs": "any",
        "application_name": "ferryman",
    }


def test_tables_land_where_the_options_lead(postgres_server: PostgresServer) -> None:
    with postgres_server.fresh_database(template="template1", is_direct=True) as url:
        engine = connect(url, pool_size=1, is_pooled=False)
        with engine.begin() as connection:
            connection.execute(text("create schema own"))

        migrate.upgrade(f"{url}&options=-csearch_path%3Down")

        with engine.connect() as connection:
            tables = text("select schemaname from pg_tables where tablename in ('record', 'alembic_version')")
            assert list(connection.execute(tables).scalars()) == ["own", "own"]
        engine.dispose()


def test_second_host_is_taken_when_the_first_is_away(direct_database_url: str) -> None:
    url = direct_database_url
    host = url.partition("host=")[2].partition("&")[0]
    engine = connect(url.replace(f"host={host}", f"host=/nowhere,{host}"), is_pooled=False)

    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    assert autocommit_of(engine).one(text("select 1 as one"), {}) == {"one": 1}
    engine.dispose()


def test_sessions_of_a_postgres_that_was_read_only_are_made_anew(
    postgres_server: PostgresServer, direct_database_url: str, engine: Engine
) -> None:
    """A session that was made meanwhile stays read-only for as long as it lives."""
    singles = autocommit_of(engine)
    write(engine)
    set_read_only(postgres_server, direct_database_url, "on")
    engine.dispose()
    with pytest.raises(StoreReadOnlyError):
        write(engine)
    with pytest.raises(StoreReadOnlyError):
        singles.count(WRITE, {})
    assert state_of(engine) is StoreState.READ_ONLY
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    singles.one(text("select 1"), {})

    set_read_only(postgres_server, direct_database_url, "off")
    with pytest.raises(StoreReadOnlyError):
        write(engine)

    write(engine)
    singles.count(WRITE, {})
    assert state_of(engine) is StoreState.OK


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(WRITE)


def set_read_only(server: PostgresServer, url: str, value: str) -> None:
    """Have the sessions that are made from now on read-only, or not."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(postgres.build_url(server.place, "postgres"), autocommit=True) as operator:
        operator.execute(f"alter database {name} set default_transaction_read_only = {value}")


def test_statement_that_was_prepared_before_its_table_changed_passes(engine: Engine) -> None:
    """A migration adds columns while daemons of the version before go on."""
    asked = text("select * from thing")
    singles = autocommit_of(engine)
    with engine.begin() as connection:
        connection.execute(text("create table thing as select 1 as number"))
    before = singles.one(asked, {})
    with engine.begin() as connection:
        connection.execute(text("alter table thing add column since_then int"))

    with pytest.raises(StoreUnavailableError):
        singles.one(asked, {})

    assert before == {"number": 1}
    assert singles.one(asked, {}) == {"number": 1, "since_then": None}


def test_sessions_in_use_when_all_are_dropped_end_as_they_come_back(engine: Engine) -> None:
    """They went back to a pool that nobody uses any more, and stayed open until its garbage was collected."""
    own = "select pg_backend_pid() as pid"
    pids: list[int] = []

    def drop(lent: psycopg.Connection[DictRow]) -> None:
        pids.extend(row["pid"] for row in lent.execute(own))
        drop_sessions(engine)

    with engine.connect() as connection:
        pids.append(connection.execute(text(own)).scalar_one())
        autocommit_of(engine).lend(drop)

    with engine.connect() as connection:
        wait_for(lambda: not list(connection.execute(OPEN, {"pids": pids}).scalars()), what="both sessions to end")
