"""pytest-celery's setup with processes for nodes: a Redis, an API and two daemons on a database of their own.

One set of nodes serves all modules; a test that needs a daemon gets it alive, whatever the last one did to it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pytest_celery import CeleryBrokerCluster, CeleryWorkerCluster

from tests.support.ferryman import new_workspace
from tests.support.process_nodes import DaemonNode, FerrymanSetup, fresh_daemon
from tests.support.server_directory import server_directory
from tests.support.servers import PostgresServer
from tests.support.small_ferryman import fresh_environment, running_api, running_broker
from tests.support.workspace import Workspace


@pytest.fixture(scope="session")
def node_directory() -> Iterator[Path]:
    """Where nodes keep sockets and logs; short, because a socket's path may have 107 bytes."""
    with server_directory("ferryman-nodes-") as place:
        yield place


@pytest.fixture(scope="session")
def celery_broker_cluster(node_directory: Path) -> Iterator[CeleryBrokerCluster]:
    with running_broker(node_directory) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def node_environment(
    postgres_server: PostgresServer, celery_broker_cluster: CeleryBrokerCluster
) -> Iterator[Mapping[str, str]]:
    """What every process of this small Ferryman is told."""
    with fresh_environment(postgres_server, celery_broker_cluster) as environment:
        yield environment


@pytest.fixture(scope="session")
def celery_backend_cluster() -> None:
    """Nothing: Ferryman keeps no Celery results."""


@pytest.fixture(scope="session")
def celery_worker_cluster(node_environment: Mapping[str, str], node_directory: Path) -> Iterator[CeleryWorkerCluster]:
    cluster = CeleryWorkerCluster(*(fresh_daemon(node_environment, node_directory) for _ in range(2)))
    yield cluster
    for daemon in cluster:
        daemon.teardown()


@pytest.fixture
def celery_setup_cls() -> type[FerrymanSetup]:
    return FerrymanSetup


@pytest.fixture(scope="session")
def api_url(node_environment: Mapping[str, str], node_directory: Path) -> Iterator[str]:
    """The API of this small Ferryman."""
    with running_api(node_environment, node_directory) as url:
        yield url


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
