"""Real servers, shared by the whole session where a test can not disturb another."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.ids import new_id
from app.stack.stack import Stack, StackOptions
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.receiver import Receiver
from tests.support.servers import PostgresServer, running_postgres
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    """A directory that others can reach: pytest closes those above ``tmp_path`` whenever another session starts."""
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def postgres_server(session_directory: Path) -> Iterator[PostgresServer]:
    with running_postgres(session_directory / "servers") as server:
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database of the test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def ferryman(session_directory: Path) -> Iterator[Stack]:
    """A whole Ferryman with two daemons; tests share it, each in an environment of its own."""
    # Messages are signed here; those between the nodes of tests/integration/workers are not.
    # One address of this machine stands for a proxy.
    environment = {**IMPATIENT, "FERRYMAN_MESSAGE_KEY": new_id(), "FERRYMAN_TRUSTED_PROXIES": "127.0.0.9"}
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
