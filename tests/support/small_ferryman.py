"""What pytest-celery's nodes of a small Ferryman are made of: a Redis, an environment for processes, an API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet
from pytest_celery import CeleryBrokerCluster, CeleryTestBroker

from app.stack import commands, sockets
from app.stack.children import build_api, build_environment
from tests.support.ferryman import IMPATIENT
from tests.support.process_nodes import ProcessContainer, RedisContainer
from tests.support.servers import PostgresServer

METRICS_TOKEN: Final = "a-token-of-the-operator"


@contextmanager
def running_broker(directory: Path) -> Iterator[CeleryBrokerCluster]:
    """Run a Redis."""
    container = RedisContainer(directory / "redis")
    container.start()
    container.ready()
    yield CeleryBrokerCluster(CeleryTestBroker(container))
    container.teardown()


@contextmanager
def fresh_environment(postgres_server: PostgresServer, broker: CeleryBrokerCluster) -> Iterator[Mapping[str, str]]:
    """Make what every process of a small Ferryman is told, with a database of its own."""
    with sockets.listen("127.0.0.1", 0, option="port") as listener:
        port = listener.getsockname()[1]
    with postgres_server.fresh_database() as url:
        addresses = {"DATABASE_URL": url, "BROKER_URL": broker[0].config()["url"]}
        metrics = {"FERRYMAN_METRICS_TOKEN": METRICS_TOKEN, "FERRYMAN_METRICS_PORT": str(port)}
        key = {"FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode()}
        yield build_environment(IMPATIENT, addresses, {**key, **metrics})


@contextmanager
def running_api(environment: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Run an API; yield where."""
    with sockets.listen("127.0.0.1", 0, option="port") as listener:
        spec = build_api(listener, environment, directory)
        command = commands.build_api_command(f"fd://{listener.fileno()}", worker_tmp_dir=str(directory), workers=1)
        api = ProcessContainer(replace(spec, command=command), directory)
        api.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        api.teardown()
