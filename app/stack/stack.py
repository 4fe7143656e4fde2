"""Prepare and run the whole stack: Postgres, Redis, API, Flower and daemons of one group on one data directory."""

import logging
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.stack import children, commands, extras, given_broker, postgres, redis, sockets
from app.stack.child import Child
from app.stack.data_directory import DataDirectory, write_private
from app.stack.errors import StackError
from app.stack.joining import build_server_environment, find_socket_root, remove_own_socket_directory
from app.stack.processes import end_leftovers
from app.stack.supervisor import Supervisor


def prepare_database(environment: Mapping[str, str], token_file: Path) -> str:
    """Migrate, and return the valid token in ``token_file``, which is created if needed.

    In a process of its own, so that the supervisor loads no code for the database.
    """
    result = subprocess.run(  # noqa: S603  # a fixed command, no shell
        commands.build_prepare_command(token_file),
        check=False,
        env=environment,
        cwd=commands.PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise StackError(f"the database could not be prepared: {reason.removeprefix('Error: ')}")
    return token_file.read_text().strip()


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """The options of a stack."""

    data_dir: Path = Path(".ferryman")
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port, for Flower too."""
    group: str = "default"
    daemons: int = 2
    concurrency: int = 8
    broker_url: str = field(default="", repr=False)
    """A broker that runs already; empty starts one."""
    flower: bool = True
    flower_port: int = 5555
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings of the children that differ from their defaults."""


class Stack:
    """A running Ferryman; a context manager that ends all its processes.

    ``report`` receives a line for each event that a user should know, such as the death of a child.
    """

    def __init__(self, options: StackOptions, report: Callable[[str], None] = logger.warning) -> None:
        self.options = options
        self.data = DataDirectory(options.data_dir.expanduser().resolve())
        self.token = ""
        self.api_url = ""
        self.flower_url: str | None = None
        self.database_url = ""
        self.broker_url = ""
        self.environment: dict[str, str] = {}
        """The environment of Ferryman's own children."""
        self._report = report
        self._supervisor = Supervisor(run_dir=self.data.run, log_dir=self.data.logs, report=report)
        self._lock: IO[str] | None = None
        self._listener: socket.socket | None = None

    @property
    def children(self) -> dict[str, Child]:
        """The child processes by name: postgres, redis, api, flower, daemon-1 and so on."""
        return self._supervisor.children

    def start(self) -> None:
        """Start everything and wait until it works; raises StackError after ending what was started."""
        try:
            self._lock_resources()
            self._start_servers()
            self._start_ferryman()
        except OSError as error:
            self.stop()
            raise StackError(f"the stack can not start: {error}") from error
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """Wait until a signal raises KeyboardInterrupt."""
        self._supervisor.wait_for_signal()

    def stop(self) -> None:
        """End every child, the daemons first and Postgres last; may be called twice."""
        self._supervisor.stop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._lock is not None:
            self.data.api_url_file.unlink(missing_ok=True)
            self.data.broker_url_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
            remove_own_socket_directory(self.data)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _lock_resources(self) -> None:
        """Lock the directory and bind the ports before anything is started."""
        self._check_programs()
        self.data.create()
        self._lock = self.data.lock()
        self.data.api_url_file.unlink(missing_ok=True)
        if leftovers := end_leftovers(self.data.run):
            self._report(f"ended what a killed stack had left behind: {', '.join(leftovers)}")
        self._listener = sockets.listen(self.options.host, self.options.port, option="--port")
        host, port = children.find_reachable_host(self._listener), self._listener.getsockname()[1]
        self.api_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if self.options.flower:
            self.flower_url = f"http://127.0.0.1:{self._free_flower_port()}"

    def _check_programs(self) -> None:
        """Check that all programs are installed before a directory is created."""
        extras.find_postgres_programs()
        if not self.options.broker_url:
            extras.find_broker_program()
        if self.options.flower:
            extras.check_flower()

    def _free_flower_port(self) -> int:
        wanted = self.options.flower_port if self.options.port else 0
        with sockets.listen("127.0.0.1", wanted, option="--flower-port (or --no-flower)") as listener:
            return int(listener.getsockname()[1])

    def _start_servers(self) -> None:
        given_broker.check_broker(self.data, self.options.broker_url)
        addresses = build_server_environment(self.data)
        self.database_url, self.broker_url = addresses["DATABASE_URL"], addresses["BROKER_URL"]
        self.environment = children.build_environment(addresses, self.options.environment)
        place = find_socket_root(self.data)
        self._supervisor.spawn(postgres.build_child(self.data.postgres, place))
        if not self.options.broker_url:
            self._supervisor.spawn(redis.build_child(self.data.redis, place))
        self._supervisor.wait_until_ready()
        postgres.create_database(place)
        self.token = prepare_database(self.environment, self.data.token_file)

    def _start_ferryman(self) -> None:
        if self._listener is None:
            raise StackError("the stack has no address to listen on")
        self._supervisor.spawn(children.build_api(self._listener, self.environment, self.data.run))
        if self.flower_url:
            port = int(self.flower_url.rpartition(":")[2])
            self._supervisor.spawn(children.build_flower(port, self.environment, self.token))
        options = self.options
        self._supervisor.spawn(
            *children.build_daemons(
                options.daemons,
                self._listener,
                self.environment,
                group=options.group,
                concurrency=options.concurrency,
            )
        )
        self._supervisor.wait_until_ready()
        write_private(self.data.api_url_file, self.api_url)
