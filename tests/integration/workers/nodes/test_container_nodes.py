"""The same daemons with pytest-celery's own containers, where an engine runs them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_celery import RedisTestBroker

from app.stack.children import build_environment
from tests.support.ferryman import IMPATIENT
from tests.support.process_nodes import DaemonNode, fresh_daemon


@pytest.fixture
def daemon(database_url: str, celery_redis_broker: RedisTestBroker) -> Iterator[DaemonNode]:
    settings = {
        "DATABASE_URL": database_url,
        "BROKER_URL": celery_redis_broker.config()["host_url"],
        "FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    with tempfile.TemporaryDirectory() as directory:
        node = fresh_daemon(build_environment(IMPATIENT, settings), Path(directory))
        yield node
        node.teardown()


@pytest.mark.docker
def test_daemon_consumes_from_a_redis_in_a_container(daemon: DaemonNode) -> None:
    assert daemon.ready()
    daemon.assert_log_exists("Connected to redis://")
