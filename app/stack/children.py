"""Ferryman's own processes as children of the stack: the API, Flower and the daemons."""

import http.client
import json
import os
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from signal import SIGTERM

from app.stack import commands
from app.stack.child import ChildSpec

_FOREIGN_PREFIXES = ("PG", "CELERY_", "FLOWER_", "GUNICORN_")
_LOOPBACK = "127.0.0.1"
# Flower reads messages only: it gets neither the database's address nor the encryption key.
_OF_FLOWER = frozenset(
    {
        *("BROKER_URL", "FERRYMAN_MESSAGE_KEY"),
        *("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    }
)
_OF_FLOWER_PREFIXES = ("LC_", "PYTHON")


def build_environment(*layers: Mapping[str, str]) -> dict[str, str]:
    """Merge the caller's environment, without variables that configure the libraries, with later layers."""
    merged = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    for layer in layers:
        merged |= layer
    return merged | {"PYTHONUNBUFFERED": "1"}


def build_api(listener: socket.socket, environment: Mapping[str, str], run_dir: Path) -> ChildSpec:
    """Describe the API, on a socket that the stack holds, so that callers wait while it restarts."""
    port = listener.getsockname()[1]
    return ChildSpec(
        name="api",
        command=commands.build_api_command(f"fd://{listener.fileno()}", worker_tmp_dir=str(run_dir)),
        environment=environment,
        working_dir=commands.PROJECT_ROOT,
        inherited_fds=(listener.fileno(),),
        is_ready=partial(is_answering, find_reachable_host(listener), port, "/ping"),
        # A graceful end; gunicorn's workers would otherwise outlive it by a second.
        death_signal=SIGTERM,
    )


def build_flower(port: int, environment: Mapping[str, str], token: str) -> ChildSpec:
    """Describe Flower, on the loopback address, for the user ``ferryman`` with the API token as password."""
    return ChildSpec(
        name="flower",
        command=commands.build_flower_command(_LOOPBACK, port),
        environment={**select_flower_environment(environment), "FLOWER_BASIC_AUTH": f"ferryman:{token}"},
        working_dir=commands.PROJECT_ROOT,
        is_ready=partial(is_answering, _LOOPBACK, port, "/"),
        stop_seconds=5.0,
    )


def select_flower_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that Flower needs."""
    return {
        name: value for name, value in environment.items() if name in _OF_FLOWER or name.startswith(_OF_FLOWER_PREFIXES)
    }


def build_daemons(
    number: int, listener: socket.socket, environment: Mapping[str, str], *, group: str, concurrency: int
) -> list[ChildSpec]:
    """Describe so many daemons of a group, ready when the API knows of them all."""
    port = listener.getsockname()[1]
    return [
        ChildSpec(
            name=f"daemon-{index}",
            command=commands.build_fresh_daemon_command(group=group, concurrency=concurrency),
            environment=environment,
            working_dir=commands.PROJECT_ROOT,
            is_ready=partial(_is_serving, find_reachable_host(listener), port, group, number),
        )
        for index in range(1, number + 1)
    ]


def find_reachable_host(listener: socket.socket) -> str:
    """Return the address by which this machine reaches a listener, which may listen on all addresses."""
    host = str(listener.getsockname()[0])
    return {"0.0.0.0": _LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound


def is_answering(host: str, port: int, path: str, _pid: int) -> bool:
    """Whether a server gives any HTTP answer."""
    return _get(host, port, path) is not None


def _is_serving(host: str, port: int, group: str, daemons: int, _pid: int) -> bool:
    """Whether the API knows of so many live daemons of a group."""
    try:
        live = json.loads(_get(host, port, "/healthz", seconds=10) or b"{}").get("daemons", {})
    except ValueError:
        return False
    return int(live.get(group, 0)) >= daemons


def _get(host: str, port: int, path: str, *, seconds: float = 2) -> bytes | None:
    """Return the body of any answer; None if there is none. Proxies of the environment are ignored."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
