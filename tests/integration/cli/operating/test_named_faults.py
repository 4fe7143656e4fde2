"""Faults of all of an installation: ``run why`` and ``doctor`` name them. The others: test_on_call_document.py."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.bootstrap.shared import Outside
from app.cli.main import main
from app.store.db.database import connect
from app.store.maintenance.daemons import DaemonStore
from tests.support.pump import Mailbox
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer
from tests.support.workspace import Workspace, listed


def start_run(api: ServedApi) -> str:
    return Workspace(api.client).sync("http://acme.invalid", [listed("users")]).start()


def run_doctor(api: ServedApi) -> str:
    told = CliRunner(env=dict(api.operator)).invoke(main, ["doctor"])
    assert told.exit_code in (1, 2), told.output
    return told.output


def test_a_broker_that_is_away(postgres_server: PostgresServer, tmp_path: Path) -> None:
    nobody = f"redis+socket://{tmp_path}/nobody.sock"
    with served_api(postgres_server, broker_url=nobody) as api:
        why, found = api.shown("run", "why", start_run(api))["reason"], run_doctor(api)

    assert "It waits for the broker, to which nothing can be published" in why
    assert "the broker can not be reached" in found


@contextmanager
def no_connection_left(database_url: str) -> Iterator[None]:
    """Take all connections that a server has."""
    with ExitStack() as held:
        with pytest.raises(psycopg.OperationalError, match=r"too many clients|connection slots"):
            while True:
                held.enter_context(psycopg.connect(database_url))
        yield


def test_postgres_without_a_connection_left(postgres_server: PostgresServer) -> None:
    with served_api(postgres_server) as api:
        run_id = start_run(api)
        api.services.close()
        with no_connection_left(api.database_url):
            why, found = api.ferryman("run", "why", run_id), run_doctor(api)
        after = api.ferryman("run", "why", run_id)

    assert why.exit_code == 1
    assert "answered 503: Postgres has no connection left" in why.output
    assert "connections  Postgres has no connection left" in found
    assert after.exit_code == 0


def freeze(engine: Engine, daemon: DaemonServices, run_id: str) -> None:
    """Leave what a daemon leaves that took a unit and was frozen five minutes ago."""
    store = DaemonStore(engine)
    worker: Any = daemon.worker
    store.register("d-1", group_key="default", label="default-1@machine", metadata={}, lease_owner=worker.owner)
    assert daemon.lifecycle.mark_running(run_id, daemon_id="d-1")
    daemon.lifecycle.start(run_id)
    with engine.begin() as connection:
        unit_id = connection.execute(text("select id::text from unit where kind = 'fetch'")).scalar_one()
        assert worker._claim(worker._units.claim, unit_id)
        past = "now() - interval '5 minutes'"
        connection.execute(text(f"update daemon set last_active_at = {past}, consumed_at = {past}"))
    with engine.begin() as connection:
        connection.execute(text(f"update unit set lease_expires_at = {past}, rung_at = {past}"))
    # What the leader does, once it has heard nothing for so long.
    store.record_heartbeats([], silence_seconds=40)


def test_a_frozen_daemon(postgres_server: PostgresServer) -> None:
    with served_api(postgres_server) as api:
        engine = connect(api.database_url, pool_size=2)
        daemon = build_daemon_services(api.settings, Outside(engine=engine, dispatcher=Mailbox()))
        run_id = start_run(api)
        freeze(engine, daemon, run_id)

        why, found = api.shown("run", "why", run_id)["reason"], run_doctor(api)
        DaemonStore(engine).register("d-2", group_key="default", label="default-1@machine", metadata={})
        replaced = run_doctor(api)
        daemon.close()
        engine.dispose()

    assert "It waits for daemon default-1@machine, which has had a unit of users since 2" in why
    assert "gave no sign of life on it for 31" in why
    assert "last heartbeat 30" in why
    assert "no other daemon reports that could take the unit over" in why
    assert re.search(r"daemon default-1@machine of group 'default' fell silent 3\d\d s ago", found)
    assert "1 units have a lease that has expired" in found
    assert "fell silent" not in replaced
