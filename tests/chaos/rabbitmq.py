"""A RabbitMQ node of one's own: on private ports, in a private directory, supervised; gone at the end."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM

from kombu import Connection

from app.stack.child import Child, ChildSpec
from app.stack.supervisor import Supervisor

PACKAGE = "rabbitmq-server"
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def program() -> str | None:
    """Find Debian's program, which must not be run by the wrapper that is on the PATH."""
    return str(_PROGRAM) if _PROGRAM.exists() else None


@dataclass(frozen=True, slots=True)
class RabbitNode:
    """A running node."""

    url: str
    child: Child
    data: Path
    """What a node that is to start EMPTY must lose."""


@contextmanager
def running_node(directory: Path) -> Iterator[RabbitNode]:
    """Run a node until the block ends; it is Debian's package rabbitmq-server."""
    server = program()
    assert server is not None, f"there is no RabbitMQ: install it (apt-get install {PACKAGE})"
    amqp, distribution, epmd = _free_ports(3)
    data, run, log = (directory / name for name in ("mnesia", "run", "log"))
    for path in (data, run, log):
        path.mkdir(parents=True)
    environment = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": f"{epmd}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"chaos{amqp}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": f"{amqp}",
        "RABBITMQ_DIST_PORT": f"{distribution}",
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(log),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
        "RABBITMQ_PID_FILE": str(run / "rabbit.pid"),
    }
    url = f"amqp://guest:guest@127.0.0.1:{amqp}//"
    supervisor = Supervisor(run_dir=run, log_dir=log, report=print)
    try:
        supervisor.spawn(_child("epmd", (shutil.which("epmd") or "epmd",), environment, directory))
        supervisor.wait_until_ready()
        supervisor.spawn(_child("rabbitmq", (server,), environment, directory, url))
        supervisor.wait_until_ready()
        yield RabbitNode(url, supervisor.children["rabbitmq"], data)
    finally:
        supervisor.stop()


def _child(name: str, command: tuple[str, ...], environment: dict[str, str], place: Path, url: str = "") -> ChildSpec:
    return ChildSpec(
        name=name,
        command=command,
        environment=environment,
        working_dir=place,
        is_ready=partial(_answers, url),
        ready_seconds=120,
        stop_seconds=20,
        death_signal=SIGTERM,
    )


def _answers(url: str, _pid: int) -> bool:
    if not url:
        return True
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
