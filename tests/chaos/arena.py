"""Where rounds are fought: one Ferryman and one outside world, whole again before each round."""

import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from app.engine.ids import new_id
from app.stack import commands
from app.stack.child import Child
from app.stack.stack import Stack, StackOptions
from tests.chaos import sync_under_fire
from tests.chaos.list_ways import WAYS
from tests.chaos.outside_world import all_pages
from tests.chaos.rabbitmq import RabbitNode, running_node
from tests.chaos.sync_under_fire import SyncUnderFire
from tests.support.ferryman import new_workspace
from tests.support.patience import wait_for
from tests.support.workspace import Workspace

LEASE_SECONDS: Final = 4.0
REQUESTS_IN_FLIGHT: Final = 16
RABBITMQ: Final = "amqp://"
DAEMONS: Final = ("daemon-1", "daemon-2")
SETTINGS: Final[Mapping[str, str]] = {
    "FERRYMAN_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "FERRYMAN_RING_AFTER_SECONDS": "4",
    "FERRYMAN_SLICE_SECONDS": "3",
    "FERRYMAN_SWEEP_SECONDS": "0.5",
    "FERRYMAN_HEARTBEAT_SECONDS": "1",
    "FERRYMAN_DAEMON_SILENCE_SECONDS": "4",
    "FERRYMAN_TOKEN_REQUESTS": "100000",
    "FERRYMAN_ENVIRONMENT_REQUESTS": "100000",
    "FERRYMAN_CHILDREN_PER_UNIT": "20",
    "FERRYMAN_REQUESTS_PER_ACCOUNT": f"{REQUESTS_IN_FLIGHT}",
    "FERRYMAN_DELIVERY_BATCH_BYTES": "65536",
    # A machine that is fought over is slow, and each request that is made again has to have its reason.
    "FERRYMAN_ASK_AGAIN_PERCENT": "0",
}

_UNDER_WAY = """
    select id::text, fencing_token, lease_expires_at from unit
     where run_id::text = any(%s) and status = 'leased'
"""

_STUCK = """
    select unit.id::text from unit, unnest(%s::text[], %s::int[], %s::timestamptz[]) as before (id, token, expiry)
     where unit.id::text = before.id
       and unit.fencing_token = before.token and unit.status in ('leased', 'ready')
       and coalesce(unit.lease_expires_at = before.expiry, true)
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker that messages go through."""

    url: str
    child: Child
    data: Path
    """What one that is to start EMPTY must lose."""


@dataclass(frozen=True, slots=True)
class Arena:
    """A Ferryman under fire, and the world around it."""

    stack: Stack = field(repr=False)
    broker: Broker | None
    """None is one that others run: nothing is done to it."""
    outside_url: str
    failpoints: Path
    """Where failpoints are armed."""
    lake: Path
    """Where destinations have their files."""
    reports: list[str]
    """What the supervisor had to tell: a line for each child that ended."""

    def make_whole(self) -> None:
        """Wait until every process is up, and make the supervisor patient again."""
        children = [*self.stack.children.values(), *([self.broker.child] if self.broker else [])]
        wait_for(lambda: all(child.is_ready() for child in children), what="a whole Ferryman")
        for child in children:
            child.restarts = 0
        self.reports.clear()

    def workspace(self) -> Workspace:
        """Make an environment of one's own."""
        return new_workspace(self.stack.database_url, self.stack.api_url)

    def begin(self, dice: random.Random) -> Sequence[SyncUnderFire]:
        """Start a daemon run and a webhook run, each in a world of its own."""
        seed = f"{dice.randrange(16**8):x}"
        workspace = self.workspace()
        return [
            sync_under_fire.start(
                workspace,
                f"{seed}-{new_id()}",
                seed,
                self.outside_url,
                self.stack.database_url,
                has_webhook=has_webhook,
                way=WAYS[dice.choice(list(WAYS))],
            )
            for has_webhook in (False, True)
        ]

    def fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask Postgres, again while it can not be reached."""
        rows = wait_for(lambda: self._fetch(query, values), what="an answer of Postgres")
        return rows[0]

    def _fetch(self, query: str, values: Sequence[object]) -> list[list[tuple[Any, ...]]]:
        try:
            with psycopg.connect(self.stack.database_url) as connection:
                return [connection.execute(query, values).fetchall()]
        except psycopg.OperationalError:
            return []

    def clear(self, runs: Sequence[SyncUnderFire]) -> None:
        """Remove what ended runs have left, so that hours of rounds need no more room than one."""
        for run in runs:
            run.forget()
        with psycopg.connect(self.stack.database_url) as connection:
            connection.execute("truncate sync_job_run, sync_job, integrated_account, webhook, record cascade")


@dataclass(slots=True)
class Round:
    """One pair of runs, a fault, and what the fault has cost so far."""

    arena: Arena
    dice: random.Random
    runs: Sequence[SyncUnderFire]
    interruptions: int = 0
    """How often a daemon lost its hold on the units that it had: what may have pages asked for again."""
    pauses: int = 0
    """How many of these were daemons that stood still and went on."""
    kills: int = 0
    """How many processes were killed."""
    ends: ExitStack = field(default_factory=ExitStack)
    """What is to be undone once the runs have ended."""
    story: list[str] = field(default_factory=list)
    rows_at_stop: dict[str, int] = field(default_factory=dict)
    """How many records an account had when its run's stop was answered."""

    @property
    def stack(self) -> Stack:
        """The Ferryman."""
        return self.arena.stack

    @property
    def are_over(self) -> bool:
        """Claim that both runs have ended."""
        return all(run.is_over for run in self.runs)

    def reach(self, progress: float) -> None:
        """Wait until the daemon run has asked for such a part of its pages."""
        self.runs[0].wait_until_asked(int(progress * len(all_pages())))
        wait_for(lambda: all(run.status == "running" for run in self.runs), what="two running runs")

    @property
    def broker(self) -> Broker:
        """The broker, which scenarios kill."""
        assert self.arena.broker is not None
        return self.arena.broker

    def child(self, name: str) -> Child:
        """Find a process by its name."""
        return self.broker.child if name == "broker" else self.stack.children[name]

    def kill(self, name: str) -> None:
        """Kill a process and its group."""
        self.child(name).kill()
        self.killed(name)

    def killed(self, name: str) -> None:
        """Take down that a process was killed."""
        self.kills += 1
        self.interruptions += name in DAEMONS
        self.story.append(f"killed {name}")

    def wait_for_exit(self, name: str, pid: int | None, timeout: float = 30.0) -> None:
        """Wait until a process has ended."""
        wait_for(lambda: self.child(name).pid != pid, timeout, what=f"the exit of {name}")

    def row_count(self, run: SyncUnderFire) -> int:
        """Count the records of a run's account."""
        ((rows,),) = self.arena.fetch(
            "select count(*) from record where integrated_account_id = %s", run.sync.account_id
        )
        return int(rows)

    def units_under_way(self) -> Callable[[], bool]:
        """Note the units that are worked on; give what claims that each was carried on since."""
        runs = [run.run_id for run in self.runs]
        waiting = {id: (id, token, expiry) for id, token, expiry in self.arena.fetch(_UNDER_WAY, runs)}

        def have_moved_on() -> bool:
            columns = [[row[column] for row in waiting.values()] for column in range(3)]
            stuck = {id for (id,) in self.arena.fetch(_STUCK, *columns)}
            for id in waiting.keys() - stuck:
                del waiting[id]
            return not waiting

        return have_moved_on


@contextmanager
def opened(broker_url: str = "") -> Iterator[Arena]:
    """Run a Ferryman with two daemons, and the world outside.

    Its broker is the embedded Redis, or the one at a URL; ``amqp://`` alone runs a RabbitMQ of its own.
    """
    reports: list[str] = []
    with ExitStack() as opened:
        place = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="ferryman-test-")))
        outside_url = opened.enter_context(_outside_world())
        failpoints = place / "failpoints"
        failpoints.mkdir()
        lake = place / "lake"
        lake.mkdir()
        environment = {
            **SETTINGS,
            "FERRYMAN_FAILPOINTS": str(failpoints),
            "FERRYMAN_DESTINATION_DIRECTORY": str(lake),
        }
        node = opened.enter_context(running_node(place / "rabbitmq")) if broker_url == RABBITMQ else None
        if broker_url:
            environment["BROKER_URL"] = node.url if node else broker_url
        options = StackOptions(
            data_dir=place / "data", port=0, daemons=2, concurrency=4, flower=False, environment=environment
        )
        stack = opened.enter_context(Stack(options, report=reports.append))
        yield Arena(stack, _broker(stack, node, broker_url), outside_url, failpoints, lake, reports)


def _broker(stack: Stack, node: RabbitNode | None, broker_url: str) -> Broker | None:
    if node is not None:
        return Broker(node.url, node.child, node.data)
    return None if broker_url else Broker(stack.broker_url, stack.children["redis"], stack.data.redis)


@contextmanager
def _outside_world() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        command = [sys.executable, "-m", "tests.chaos.outside_world", "--fd", str(listener.fileno())]
        with subprocess.Popen(
            command, cwd=commands.PROJECT_ROOT, pass_fds=[listener.fileno()], stdout=subprocess.DEVNULL
        ) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()
