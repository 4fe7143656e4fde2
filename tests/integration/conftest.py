"""Real servers, shared by the whole session where a test can not disturb another."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine.ids import new_id
from app.stack import postgres
from app.stack.stack import Stack, StackOptions
from tests.support import pgbouncer
from tests.support.collector import Collector
from tests.support.debian import need
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.pgbouncer import pooled_engines, running_pgbouncer
from tests.support.receiver import Receiver
from tests.support.server_directory import server_directory
from tests.support.servers import PostgresServer, running_postgres
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    """A directory that others can reach: pytest closes those above ``tmp_path`` whenever another session starts."""
    with server_directory() as place:
        yield place


@pytest.fixture(scope="session")
def postgres_server(session_directory: Path) -> Iterator[PostgresServer]:
    """A Postgres; with FERRYMAN_TESTS_POOLER=pgbouncer, reached through a PgBouncer that pools by transaction."""
    with running_postgres(session_directory / "servers") as server, ExitStack() as around:
        if os.environ.get("FERRYMAN_TESTS_POOLER") == pgbouncer.PACKAGE:
            need(pgbouncer.program(), package=pgbouncer.PACKAGE)
            direct = postgres.build_url(server.place, "postgres")
            pooler = around.enter_context(running_pgbouncer(session_directory / "pgbouncer", direct))
            around.enter_context(pooled_engines())
            yield replace(server, pooler_port=pooler.port)
        else:
            yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database of the test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def direct_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """One whose sessions are a test's own whatever stands before Postgres: to hold a lock, or to be ended."""
    with postgres_server.fresh_database(is_direct=True) as url:
        yield url


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """What the shared Ferryman sends its traces to."""
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="session")
def ferryman(session_directory: Path, collector: Collector) -> Iterator[Stack]:
    """A whole Ferryman with two daemons; tests share it, each in an environment of its own."""
    # Messages are signed here; those between the nodes of tests/integration/workers are not.
    # One address of this machine stands for a proxy.
    environment = {**IMPATIENT, "FERRYMAN_MESSAGE_KEY": new_id(), "FERRYMAN_TRUSTED_PROXIES": "127.0.0.9"}
    environment |= collector.environment
    options = StackOptions(
        data_dir=session_directory / "stack", port=0, daemons=2, flower=False, environment=environment
    )
    with Stack(options) as stack:
        yield stack


@pytest.fixture
def workspace(ferryman: Stack) -> Workspace:
    """A new environment of the shared Ferryman."""
    return new_workspace(ferryman.database_url, ferryman.api_url)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()
