"""Nodes for pytest-celery that are processes of this machine, not containers.

pytest-celery's nodes and clusters only ask their "container" for a few things (its state, its logs, to be killed or
started again), so that a local process can stand in for one: its whole toolbox then works where no Docker engine is.
"""

import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import celery
from celery import Celery
from pytest_celery import CeleryTestSetup, CeleryTestWorker

import celeryconfig
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.stack import commands, redis
from app.stack.child import Child, ChildSpec
from app.stack.children import build_environment
from tests.support.patience import LONGEST_SECONDS, wait_for


class ProcessContainer:
    """A local process with the face of a container; its log outlives restarts, as a container's does."""

    def __init__(self, spec: ChildSpec, directory: Path, *, ready_prompt: str = "") -> None:
        self.spec = spec
        self.name = spec.name
        self.id = socket.gethostname()
        self._ready_prompt = ready_prompt
        self._child = Child(spec, log=directory / f"{spec.name}.log", pid_file=directory / f"{spec.name}.pid")
        self._log_start = 0

    @property
    def status(self) -> str:
        """Docker's word for how the process stands."""
        return "running" if self._child.is_alive else "exited"

    @property
    def celeryconfig(self) -> JsonObject:
        """What Celery must be told to use this node; nothing, unless it is a broker."""
        return {}

    def start(self) -> None:
        """Start the process; do not wait for it."""
        self._log_start = len(self.logs())
        self._child.start()

    def revive(self) -> None:
        """Start the process again if it has ended."""
        self._child.reap()
        if self._child.pid is None:
            self.start()

    @property
    def pid(self) -> int | None:
        """The process's number; None once it has ended."""
        self._child.reap()
        return self._child.pid

    def ready(self) -> bool:
        """Wait until the process works; fail when it ends instead."""
        return wait_for(self._is_ready, what=f"the start of {self.name}")

    def logs(self) -> str:
        """Return all that the process has written, before restarts too."""
        return self._child.log.read_text(errors="replace") if self._child.log.exists() else ""

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send a signal; a killed process is gone when this returns."""
        number = Signals[signal] if isinstance(signal, str) else Signals(signal)
        self._child.send(number)
        if number == SIGKILL:
            self.wait_for_end(LONGEST_SECONDS)

    def restart(self, timeout: float = LONGEST_SECONDS) -> None:
        """Stop the process in the way that it likes best, start it again and wait until it works."""
        self._child.send(SIGTERM)
        self.wait_for_end(timeout)
        self.start()
        self.ready()

    def reload(self) -> None:
        """Take note of an end."""
        self._child.reap()

    def wait_for_end(self, timeout: float = LONGEST_SECONDS) -> None:
        """Wait until the process has ended."""
        deadline = time.monotonic() + timeout
        while self._child.pid is not None and not self._child.reap():
            assert time.monotonic() < deadline, f"{self.name} did not end within {timeout:g} s"
            time.sleep(0.01)

    def teardown(self) -> None:
        """End the process and all that it started."""
        self._child.end()

    def _is_ready(self) -> bool:
        assert self._child.is_alive, f"{self.name} ended at once:\n{self.logs()[self._log_start :]}"
        return self._child.is_ready() and self._ready_prompt in self.logs()[self._log_start :]


class RedisContainer(ProcessContainer):
    """A Redis of its own, as Ferryman's stack runs it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._url = redis.build_url(directory)
        super().__init__(redis.build_child(directory, directory), directory)

    @property
    def celeryconfig(self) -> JsonObject:
        """Where the broker is, seen from within and from without."""
        return {"url": self._url, "host_url": self._url}

    def empty(self) -> None:
        """Lose everything: kill the server, remove what it wrote, and start it again."""
        self.kill()
        for path in self.spec.working_dir.glob("appendonly*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start()
        self.ready()


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonIdentity:
    """Which daemon it is and whom it serves."""

    id: str
    group_key: str = "default"


class DaemonContainer(ProcessContainer):
    """A Ferryman daemon: a Celery worker of one daemon group."""

    def __init__(
        self,
        who: DaemonIdentity,
        environment: Mapping[str, str],
        directory: Path,
        *,
        application: str = "workers.celery_app",
    ) -> None:
        self.who = who
        command = commands.build_daemon_command(who.id, group=who.group_key, concurrency=4)
        identity = {"FERRYMAN_DAEMON_ID": who.id, "FERRYMAN_DAEMON_GROUP": who.group_key}
        spec = ChildSpec(
            name=who.id,
            command=tuple(application if part == "workers.celery_app" else part for part in command),
            environment=build_environment(environment, identity),
            working_dir=commands.PROJECT_ROOT,
        )
        super().__init__(spec, directory, ready_prompt=" ready.")

    def version(self) -> str:
        """Celery's version."""
        return str(celery.__version__)

    def log_level(self) -> str:
        """The log level of the worker."""
        return "INFO"

    def worker_name(self) -> str:
        """The worker's name before the ``@``."""
        return self.who.id

    def worker_queue(self) -> str:
        """The first queue that it consumes."""
        return f"daemon-group.{self.who.group_key}"


class DaemonNode(CeleryTestWorker):  # type: ignore[misc]  # pytest-celery has no types
    """A daemon as pytest-celery sees it."""

    @property
    def daemon_id(self) -> str:
        """Its name in Ferryman's registry."""
        return str(self.container.who.id)

    @property
    def group_key(self) -> str:
        """The daemon group that it serves."""
        return str(self.container.who.group_key)

    def hostname(self) -> str:
        """Its name among Celery's workers."""
        return f"{self.worker_name}@{socket.gethostname()}"


class FerrymanSetup(CeleryTestSetup):  # type: ignore[misc]  # pytest-celery has no types
    """Broker and daemons; Ferryman keeps no Celery results, so that there is no backend."""

    @classmethod
    def name(cls) -> str:
        """Name the test's own Celery application."""
        return "ferryman-test"

    @classmethod
    def update_app_config(cls, app: Celery) -> None:
        """Speak through the same keys of Redis as the daemons do."""
        app.conf.broker_transport_options = celeryconfig.broker_transport_options
        app.conf.task_ignore_result = True


def fresh_daemon(
    environment: Mapping[str, str],
    directory: Path,
    *,
    group_key: str = "default",
    is_started: bool = True,
    application: str = "workers.celery_app",
) -> DaemonNode:
    """Make a daemon under a new name, and start it; do not wait for it."""
    who = DaemonIdentity(id=f"daemon-{new_id()[-12:]}", group_key=group_key)
    container = DaemonContainer(who, environment, directory, application=application)
    if is_started:
        container.start()
    return DaemonNode(container, app=None)
