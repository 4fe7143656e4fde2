"""Where scenarios are measured: a Ferryman as ``ferryman up`` starts it, and the world around it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import Connection, sql
from psycopg.errors import DeadlockDetected

from app.client import ApiClient
from app.stack import postgres
from app.stack.joining import find_socket_root
from app.stack.stack import Stack, StackOptions
from bench.customer import Customer
from bench.measurement import BenchError
from bench.servers.running import running_module
from bench.wire import read
from bench.worlds import World

_FLOOR_DATABASE = "bench_floor"
# One token makes all requests, which are counted as everybody's are.
_ENVIRONMENT = {"FERRYMAN_TOKEN_REQUESTS": "1000000000", "FERRYMAN_ENVIRONMENT_REQUESTS": "1000000000"}
_TRUNCATIONS = 10
_TABLES = "sync_job_run, record, account_log, outbox, idempotency_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    scale: float = 1.0
    """Of the issue's sizes."""
    rounds: int = 3
    """How often each side is measured, after the warm-up."""

    @property
    def is_full(self) -> bool:
        """Whether figures may be kept."""
        return self.scale >= 1 and self.rounds >= 3

    def sized(self, full: int, *, least: int = 1) -> int:
        """Scale a number of records, runs or requests."""
        return max(least, round(full * self.scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What scenarios are given."""

    stack: Stack = field(repr=False)
    upstream_url: str
    receiver_url: str
    floor_database_url: str
    effort: Effort
    say: Callable[[str], None]
    """Tells whoever waits how far a scenario is."""

    @property
    def customer(self) -> Customer:
        """Return a client of the API."""
        return Customer(ApiClient(self.stack.api_url, self.stack.token))

    def url_of(self, world: World) -> str:
        """Return the address of a world."""
        return f"{self.upstream_url}/{world.name}"

    def prepare(self, world: World) -> str:
        """Have a world's pages encoded; give its address."""
        read(f"{self.url_of(world)}/prepare")
        return self.url_of(world)

    def database(self, name: str) -> str:
        """Make an empty database beside Ferryman's; give its URL."""
        place = find_socket_root(self.stack.data)
        with psycopg.connect(postgres.build_url(place, "postgres"), autocommit=True) as connection:
            identifier = sql.Identifier(name)
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(identifier))
            connection.execute(sql.SQL("create database {}").format(identifier))
        return postgres.build_url(place, name)

    def clear(self) -> None:
        """Remove all runs and records and write the rest to disk: each measured time begins from the same state."""
        with psycopg.connect(self.stack.database_url, autocommit=True) as connection:
            self._truncate(connection)
        self.settle_disk()

    def _truncate(self, connection: Connection) -> None:
        for _ in range(_TRUNCATIONS):
            # Ferryman is at work all the time, and takes the tables in another order.
            with suppress(DeadlockDetected):
                connection.execute(f"truncate {_TABLES} cascade")
                return
        raise BenchError(f"the tables could not be emptied: {_TRUNCATIONS} deadlocks in a row")

    def settle_disk(self) -> None:
        """Write out what is dirty, so that nobody pays for what another one wrote."""
        with psycopg.connect(self.stack.database_url, autocommit=True) as connection:
            connection.execute("checkpoint")


@contextmanager
def opened(effort: Effort, say: Callable[[str], None]) -> Iterator[Workbench]:
    """Start a Ferryman of its own, with the settings that ``ferryman up`` has, but for the requests of a token."""
    with tempfile.TemporaryDirectory(prefix="ferryman-bench-") as place:
        say("starting Ferryman")
        with (
            Stack(
                StackOptions(data_dir=Path(place) / "data", port=0, environment=_ENVIRONMENT),
                report=lambda line: say(line.partition("\n")[0]),
            ) as stack,
            around(stack, effort, say) as workbench,
        ):
            yield workbench


@contextmanager
def around(stack: Stack, effort: Effort, say: Callable[[str], None]) -> Iterator[Workbench]:
    """Set up the world around a Ferryman that runs already."""
    with ExitStack() as servers:
        workbench = Workbench(
            stack=stack,
            upstream_url=servers.enter_context(running_module("bench.servers.upstream")),
            receiver_url=servers.enter_context(running_module("bench.servers.receiver")),
            floor_database_url=postgres.build_url(find_socket_root(stack.data), _FLOOR_DATABASE),
            effort=effort,
            say=say,
        )
        workbench.database(_FLOOR_DATABASE)
        yield workbench
