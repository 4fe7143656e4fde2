"""A Redis for the tests of what goes through it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process_nodes import RedisContainer


@pytest.fixture(scope="module")
def broker() -> Iterator[RedisContainer]:
    with tempfile.TemporaryDirectory(prefix="ferryman-broker-") as name:
        container = RedisContainer(Path(name) / "redis")
        container.start()
        container.ready()
        yield container
        container.teardown()
