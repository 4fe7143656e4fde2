"""One database for all tests of notifications, each in an environment of its own, with receivers that are real."""

from collections.abc import Iterator

import pytest

from tests.support.notified_place import NotifiedPlace, Slack
from tests.support.servers import PostgresServer


@pytest.fixture(scope="session")
def notified_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def place(notified_url: str) -> Iterator[NotifiedPlace]:
    made = NotifiedPlace(notified_url)
    yield made
    made.close()


@pytest.fixture
def slack() -> Iterator[Slack]:
    server = Slack()
    yield server
    server.close()
