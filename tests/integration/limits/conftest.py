"""A Redis of a module's own, which its tests may freeze and kill."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process_nodes import RedisContainer


@pytest.fixture(scope="module")
def redis_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ferryman-budget-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def container(redis_directory: Path) -> Iterator[RedisContainer]:
    made = RedisContainer(redis_directory / "redis")
    made.start()
    made.ready()
    yield made
    made.teardown()


@pytest.fixture
def redis_url(container: RedisContainer) -> Iterator[str]:
    container.revive()
    container.ready()
    yield container.celeryconfig["url"]
    container.kill("SIGCONT")
