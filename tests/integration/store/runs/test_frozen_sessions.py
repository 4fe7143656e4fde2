"""What others hold is let go of: locks of a frozen process, and units that are made while a run is stopped."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import StoreUnavailableError
from app.engine.ids import new_id
from app.engine.status import RunStatus
from app.store.db.database import connect
from app.store.runs.moves import RunMoves
from tests.support.patience import WaitFor

_MAKE_RUN = """
    with made as (insert into environment (id, name) values (:id, 'tested') returning id)
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue)
    select id, id, id, id, 'running', '{}', '', '[]', '{}', 'q' from made
"""

_MAKE_UNIT = "insert into unit (id, run_id, kind, status) values (:unit_id, :id, 'fetch', 'ready')"

_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def run_id(engine: Engine) -> str:
    """A running run with one unit."""
    id = new_id()
    with engine.begin() as connection:
        connection.execute(text(_MAKE_RUN), {"id": id})
        connection.execute(text(_MAKE_UNIT), {"id": id, "unit_id": new_id()})
    return id


def test_stop_cancels_the_units_that_a_page_makes_meanwhile(engine: Engine, run_id: str, wait_for: WaitFor) -> None:
    stop = threading.Thread(target=RunMoves(engine).move, args=(run_id, RunStatus.STOPPED))
    with engine.begin() as page:
        page.execute(text("update unit set pages = pages + 1"))
        page.execute(text(_MAKE_UNIT), {"id": run_id, "unit_id": new_id()})
        stop.start()
        with engine.connect() as watcher:
            watcher.execution_options(isolation_level="AUTOCOMMIT")
            wait_for(lambda: watcher.execute(text(_WAITING)).scalar_one(), what="the stop at the page's lock")
    stop.join()

    with engine.connect() as connection:
        assert connection.execute(text("select status from unit")).scalars().all() == ["cancelled", "cancelled"]


def test_transaction_of_a_frozen_process_is_ended_and_the_engine_goes_on(engine: Engine, wait_for: WaitFor) -> None:
    find = text("select count(*) from pg_stat_activity where state = 'idle in transaction'")
    with pytest.raises(StoreUnavailableError), engine.begin() as frozen, engine.connect() as watcher:
        watcher.execution_options(isolation_level="AUTOCOMMIT")
        assert frozen.execute(text("show idle_in_transaction_session_timeout")).scalar_one() == "10s"
        frozen.execute(text("set local idle_in_transaction_session_timeout = '100ms'"))
        wait_for(lambda: not watcher.execute(find).scalar_one(), what="the end of the session")
        frozen.execute(text("select 1"))

    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
