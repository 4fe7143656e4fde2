"""The dashboard in a browser: over an API in this process, and over a whole Ferryman where runs have to run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.client import ApiClient
from app.engine.ids import new_id
from app.stack.stack import Stack, StackOptions
from tests.ecosystem.ui.browsing import Tab, opened_tab, running_browser
from tests.support.ferryman import IMPATIENT, new_token
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer, running_postgres
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace


@pytest.fixture(scope="session")
def postgres_server(session_directory: Path) -> Iterator[PostgresServer]:
    with running_postgres(session_directory / "ui-servers") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; for one module at a time, since its event loop would be in the way of other tests'."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def served(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    """An API with a database of the test's own, and an admin's token."""
    with served_api(postgres_server, trusted_proxies="127.0.0.1") as served:
        yield served


@pytest.fixture
def tab(browser: Browser, served: ServedApi) -> Iterator[Tab]:
    with opened_tab(browser, served.url) as tab:
        yield tab


@pytest.fixture(scope="module")
def ferryman(session_directory: Path) -> Iterator[Stack]:
    """A whole Ferryman with one daemon."""
    environment = {**IMPATIENT, "FERRYMAN_MESSAGE_KEY": new_id()}
    options = StackOptions(
        data_dir=session_directory / "ui-stack", port=0, daemons=1, flower=False, environment=environment
    )
    with Stack(options) as stack:
        yield stack


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def token(ferryman: Stack) -> str:
    return new_token(ferryman.database_url)


@pytest.fixture
def workspace(ferryman: Stack, token: str) -> Workspace:
    return Workspace(ApiClient(ferryman.api_url, token))
