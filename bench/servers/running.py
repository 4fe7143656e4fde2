"""Runs a server as a process of its own for as long as a block lasts."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from app.stack import commands
from bench.measurement import BenchError

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05


@contextmanager
def running_module(name: str) -> Iterator[str]:
    """Run a server of this package, which takes its socket's descriptor as its argument; give its address."""
    with running(lambda descriptor: (sys.executable, "-m", name, str(descriptor))) as url:
        yield url


@contextmanager
def running_gunicorn(application: str, environment: Mapping[str, str], worker_tmp_dir: str) -> Iterator[str]:
    """Serve a WSGI application by the API's own command; give its address once it answers /healthz."""

    def command(descriptor: int) -> Sequence[str]:
        parts = commands.build_api_command(f"fd://{descriptor}", worker_tmp_dir=worker_tmp_dir)
        return [application if part == "app.wsgi:app" else part for part in parts]

    with running(command, environment) as url:
        _wait_until_healthy(url)
        yield url


@contextmanager
def running(command: Callable[[int], Sequence[str]], environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a command that serves the descriptor it is given; give its address.

    Callers wait in the socket's backlog until it accepts.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        descriptor = listener.fileno()
        with process(command(descriptor), environment, (descriptor,)):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str] | None = None, descriptors: Sequence[int] = ()
) -> Iterator[None]:
    """Run any command, and end it at the end."""
    with subprocess.Popen(
        command,
        cwd=commands.PROJECT_ROOT,
        env=dict(os.environ if environment is None else environment),
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_healthy(url.removeprefix("http://")):
        if time.monotonic() > deadline:
            raise BenchError(f"the server at {url} did not come up")
        time.sleep(_POLL_SECONDS)


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
