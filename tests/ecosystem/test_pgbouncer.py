"""A PgBouncer that pools by transaction stands before Postgres."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import StoreUnavailableError
from app.stack.stack import Stack, StackOptions
from app.store.db.autocommit import Autocommit, autocommit_of, transaction
from app.store.db.connections import Connections
from app.store.db.database import connect, reading
from app.store.db.leadership import Leadership
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.pgbouncer import pooled_url
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import listed

SETTINGS = text("""
    select current_setting('timezone') as timezone, current_setting('idle_in_transaction_session_timeout') as idles,
           current_setting('plan_cache_mode') as plans, current_setting('enable_seqscan') as scans
""")
PLAIN = {"plans": "auto", "scans": "on", "timezone": "UTC"}
LOCKS = text("select count(*) from pg_locks where locktype = 'advisory' and granted and database is not null")


@pytest.fixture
def engine(direct_url: str, pooler_port: int) -> Iterator[Engine]:
    made = connect(pooled_url(direct_url, pooler_port), pool_size=4, is_pooled=True, prepares=False)
    yield made
    made.dispose()


def settings_in_transaction(connection: Any) -> dict[str, str]:
    with transaction(connection):
        return dict(connection.execute(str(SETTINGS)).fetchone())


def test_transactions_bound_their_idleness_themselves(engine: Engine) -> None:
    with engine.begin() as one, engine.connect().execution_options(isolation_level="REPEATABLE READ") as other:
        found = [dict(connection.execute(SETTINGS).mappings().one()) for connection in (one, other)]
    found.append(autocommit_of(engine).lend(settings_in_transaction))

    assert found == [{**PLAIN, "idles": "10s"}] * 3


def test_nothing_is_left_in_a_session_for_who_gets_it_next(engine: Engine, direct_url: str, pooler_port: int) -> None:
    singles = autocommit_of(engine)
    with engine.begin() as connection:
        connection.execute(SETTINGS)
    singles.one(SETTINGS, {})

    other = connect(pooled_url(direct_url, pooler_port), is_pooled=True, prepares=False)
    with reading(other) as stranger:
        found = dict(stranger.execute(SETTINGS).mappings().one())
    other.dispose()

    assert found == dict(singles.one(SETTINGS, {}) or {}) == {**PLAIN, "idles": "0"}


def test_transaction_begins_in_one_trip(engine: Engine, tmp_path: Path) -> None:
    """What is set with it costs none of its own: both are one message."""
    trace = tmp_path / "trace"
    with engine.connect() as connection, trace.open("w") as file:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.pgconn.trace(file.fileno())
        connection.execute(text("select 1"))
        raw.pgconn.untrace()
    plain = [line.split("Query", 1)[1].strip() for line in trace.read_text().splitlines() if "\tQuery" in line]

    assert plain[0] == "\"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'\""
    assert not [one for one in plain[1:] if "SET" in one]


def test_threads_share_sessions(engine: Engine) -> None:
    singles = autocommit_of(engine)
    ask = text("select cast(:number as int) as number")

    def work(number: int) -> int:
        with engine.begin() as connection:
            assert connection.execute(ask, {"number": number}).scalar_one() == number
        row = singles.one(ask, {"number": number})
        assert row is not None
        return int(row["number"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(400))) == list(range(400))


def test_pooler_that_refuses_our_options_is_told_in_words(direct_url: str, pooler_port: int) -> None:
    url = pooled_url(direct_url, pooler_port)
    engine = connect(url)

    with pytest.raises(StoreUnavailableError, match="set FERRYMAN_SESSION_DATABASE_URL"), engine.connect():
        pass
    with pytest.raises(StoreUnavailableError, match="set FERRYMAN_SESSION_DATABASE_URL"):
        Autocommit(Connections(url=url), pool_size=1).one(SETTINGS, {})
    engine.dispose()


def test_nobody_leads_by_a_session_that_a_pooler_lends(direct_url: str, deaf_pooler_port: int) -> None:
    """Told to ignore our options, it drops them without a word, and gives the lock away with the session."""
    engine, direct = connect(pooled_url(direct_url, deaf_pooler_port), prepares=False), connect(direct_url)
    leadership = Leadership(engine, silence_seconds=60)

    with pytest.raises(StoreUnavailableError, match="FERRYMAN_SESSION_DATABASE_URL"):
        leadership.is_held()

    candidate = Leadership(direct, silence_seconds=60)
    assert candidate.is_held()
    candidate.resign()
    engine.dispose()
    direct.dispose()


def test_ferryman_runs_through_it(direct_url: str, pooler_port: int, session_directory: Path) -> None:
    environment = {
        **IMPATIENT,
        "DATABASE_URL": pooled_url(direct_url, pooler_port),
        "FERRYMAN_SESSION_DATABASE_URL": direct_url,
        "FERRYMAN_PREPARE_STATEMENTS": "0",
    }
    options = StackOptions(
        data_dir=session_directory / "pooled", port=0, daemons=2, flower=False, environment=environment
    )
    upstream = Upstream()
    users = numbered("user", 500)
    upstream.lists("/users", users, page_size=250)
    try:
        with Stack(options) as stack:
            sync = new_workspace(direct_url, stack.api_url).sync(upstream.url, [listed("users")])
            run = sync.run()
            records = sync.records("users")
            direct = connect(direct_url)
            with direct.connect() as connection:
                held = connection.execute(LOCKS).scalar_one()
            direct.dispose()
    finally:
        upstream.close()

    assert run["status"] == "completed"
    assert records == {user["id"]: user for user in users}
    assert held == 2  # the lead and the second place
