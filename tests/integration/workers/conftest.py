"""pytest-celery's setup with processes for nodes: a Redis, an API and two daemons on a database of their own.

One set of nodes serves a whole module; a test that needs a daemon gets it alive, whatever the last one did to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_celery import CeleryBrokerCluster, CeleryTestBroker, CeleryWorkerCluster

from app.stack import commands, sockets
from app.stack.children import build_api, build_environment
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.process_nodes import DaemonNode, FerrymanSetup, ProcessContainer, RedisContainer, fresh_daemon
from tests.support.server_directory import server_directory
from tests.support.servers import PostgresServer
from tests.support.workspace import Workspace


@pytest.fixture(scope="module")
def node_directory() -> Iterator[Path]:
    """Where nodes keep sockets and logs; short, because a socket's path may have 107 bytes."""
    with server_directory("ferryman-nodes-") as place:
        yield place


@pytest.fixture(scope="module")
def node_environment(
    postgres_server: PostgresServer, celery_broker_cluster: CeleryBrokerCluster
) -> Iterator[Mapping[str, str]]:
    """What every process of this small Ferryman is told."""
    with postgres_server.fresh_database() as url:
        addresses = {"DATABASE_URL": url, "BROKER_URL": celery_broker_cluster[0].config()["url"]}
        key = {"FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode()}
        yield build_environment(IMPATIENT, addresses, key)


@pytest.fixture(scope="module")
def celery_broker_cluster(node_directory: Path) -> Iterator[CeleryBrokerCluster]:
    container = RedisContainer(node_directory / "redis")
    container.start()
    container.ready()
    yield CeleryBrokerCluster(CeleryTestBroker(container))
    container.teardown()


@pytest.fixture(scope="module")
def celery_backend_cluster() -> None:
    """Nothing: Ferryman keeps no Celery results."""


@pytest.fixture(scope="module")
def celery_worker_cluster(node_environment: Mapping[str, str], node_directory: Path) -> Iterator[CeleryWorkerCluster]:
    cluster = CeleryWorkerCluster(*(fresh_daemon(node_environment, node_directory) for _ in range(2)))
    yield cluster
    for daemon in cluster:
        daemon.teardown()


@pytest.fixture
def celery_setup_cls() -> type[FerrymanSetup]:
    return FerrymanSetup


@pytest.fixture(scope="module")
def api_url(node_environment: Mapping[str, str], node_directory: Path) -> Iterator[str]:
    """The API of this small Ferryman."""
    with sockets.listen("127.0.0.1", 0, option="port") as listener:
        spec = build_api(listener, node_environment, node_directory)
        command = commands.build_api_command(f"fd://{listener.fileno()}", worker_tmp_dir=str(node_directory), workers=1)
        api = ProcessContainer(replace(spec, command=command), node_directory)
        api.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        api.teardown()


@pytest.fixture
def daemons(celery_setup: FerrymanSetup) -> list[DaemonNode]:
    """The two daemons, both alive."""
    for daemon in celery_setup.worker_cluster:
        daemon.container.revive()
    assert celery_setup.ready()
    return list(celery_setup.worker_cluster)


@pytest.fixture
def node_workspace(node_environment: Mapping[str, str], api_url: str, daemons: list[DaemonNode]) -> Workspace:
    """An environment of this small Ferryman, once its daemons are ready."""
    return new_workspace(node_environment["DATABASE_URL"], api_url)
