"""What only Debian or an index has: without it tests are skipped with the reason, or fail (FERRYMAN_TESTS_MUST_RUN)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.stack import postgres
from tests.support import pgbouncer
from tests.support.debian import need
from tests.support.pgbouncer import running_pgbouncer
from tests.support.servers import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    """A directory that others can reach."""
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def postgres_server(session_directory: Path) -> Iterator[PostgresServer]:
    need(pgbouncer.program(), package=pgbouncer.PACKAGE)
    with running_postgres(session_directory / "servers") as server:
        yield server


@pytest.fixture(scope="session")
def pooler_port(postgres_server: PostgresServer, session_directory: Path) -> Iterator[int]:
    """A PgBouncer as it comes: it refuses what it can not keep."""
    direct = postgres.build_url(postgres_server.place, "postgres")
    with running_pgbouncer(session_directory / "pgbouncer", direct) as pooler:
        yield pooler.port


@pytest.fixture(scope="session")
def deaf_pooler_port(postgres_server: PostgresServer, session_directory: Path) -> Iterator[int]:
    """A PgBouncer that was told to ignore what it can not keep."""
    direct = postgres.build_url(postgres_server.place, "postgres")
    with running_pgbouncer(session_directory / "deaf-pgbouncer", direct, ignored="options") as pooler:
        yield pooler.port


@pytest.fixture
def direct_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database of the test's own."""
    with postgres_server.fresh_database() as url:
        yield url
