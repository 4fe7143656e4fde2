"""The document of a running Ferryman, as generators of clients get it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from app.net.addresses import LOOPBACK
from app.stack.stack import Stack, StackOptions
from tests.support.ferryman import IMPATIENT, new_token
from tests.support.upstream import Upstream, reply


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tools their time: some compute for a quarter of a minute, on a machine that has nothing else to do."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def ferryman(session_directory: Path) -> Iterator[Stack]:
    """A whole Ferryman with one daemon."""
    environment = {**IMPATIENT, "FERRYMAN_ALLOWED_NETWORKS": LOOPBACK, "FERRYMAN_TRUSTED_PROXIES": "127.0.0.1"}
    options = StackOptions(
        data_dir=session_directory / "openapi", port=0, daemons=1, flower=False, environment=environment
    )
    with Stack(options) as stack:
        yield stack


@pytest.fixture(scope="session")
def document_file(ferryman: Stack, session_directory: Path) -> Path:
    """The document, as it is downloaded."""
    place = session_directory / "openapi.json"
    with urlopen(f"{ferryman.api_url}/openapi.json") as answer:
        place.write_bytes(answer.read())
    return place


@pytest.fixture
def people() -> Iterator[Upstream]:
    """An API with two people, one of whom is an admin."""
    upstream = Upstream()
    found = [{"id": "1", "name": "Ada", "admin": True}, {"id": "2", "name": "Bob", "admin": False}]
    upstream.answers("/people", reply({"data": found, "next": None}))
    yield upstream
    upstream.close()


@pytest.fixture
def access(ferryman: Stack, people: Upstream) -> dict[str, str]:
    """What a client's program is told by its environment."""
    return {
        "FERRYMAN_URL": ferryman.api_url,
        "FERRYMAN_TOKEN": new_token(ferryman.database_url),
        "UPSTREAM_URL": people.url,
    }
