"""A second Postgres for all tests of destinations, and an environment for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.landing import Landing
from tests.support.target import TargetDatabase, TargetServer, fresh_target, running_target


@pytest.fixture(scope="session")
def target_server(session_directory: Path) -> Iterator[TargetServer]:
    with running_target(session_directory / "target") as server:
        yield server


@pytest.fixture
def target(target_server: TargetServer) -> Iterator[TargetDatabase]:
    with fresh_target(target_server) as database:
        yield database


@pytest.fixture
def landing(database_url: str) -> Iterator[Landing]:
    place = Landing(database_url)
    yield place
    place.close()
