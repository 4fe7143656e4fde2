"""What is done to processes and connections: kill, freeze, empty, exhaust."""

import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import psycopg

from app.stack.child import Child
from tests.chaos.arena import DAEMONS, LEASE_SECONDS, Round
from tests.support.patience import wait_for
from tests.support.pgbouncer import pooled_url, running_pgbouncer

_READ_ONLY = "alter database ferryman set default_transaction_read_only = {}"
_TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ferryman'"


def terminate(round: Round, name: str) -> None:
    """Ask a process to end as a deploy does; wait until it has, and its successor works."""
    child = round.child(name)
    pid = child.pid
    child.restart()
    round.story.append(f"terminated {name}")
    round.wait_for_exit(name, pid)
    wait_for(child.is_ready, what=f"a new {name}")


def kill_leader_alone(round: Round, name: str) -> None:
    """Kill a process but none of its group, as the kernel's out-of-memory killer does."""
    pid = round.child(name).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    round.killed(name)
    round.wait_for_exit(name, pid)


def kill_process(round: Round, pid: int, what: str) -> None:
    """Kill a process that is a child's child."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        round.killed(what)


def workers_of(child: Child) -> list[int]:
    """List the processes that a child has forked."""
    return [int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()]


def empty_broker(round: Round) -> None:
    """Kill the broker and take its data away before it is started again."""
    pid = round.child("broker").pid
    round.kill("broker")
    round.wait_for_exit("broker", pid)
    for path in round.broker.data.iterdir():
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def keep_down(round: Round, name: str, seconds: float) -> None:
    """Kill a process and keep it from being started again for so long."""
    child = round.child(name)
    pid = child.pid
    round.kill(name)
    round.wait_for_exit(name, pid)
    child.next_start = time.monotonic() + seconds
    time.sleep(seconds)
    wait_for(child.is_ready, what=f"{name} again")


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    """Have a process stand still."""
    child.send(signal.SIGSTOP)
    try:
        yield
    finally:
        child.send(signal.SIGCONT)


def pause_past_lease(round: Round, name: str) -> None:
    """Freeze a daemon until its units have been taken over, then let it go on."""
    moved_on = round.units_under_way()
    with frozen(round.child(name)):
        round.interruptions += 1
        round.pauses += 1
        round.story.append(f"paused {name}")
        time.sleep(LEASE_SECONDS)
        wait_for(lambda: moved_on() or round.are_over, what="somebody who takes the paused daemon's units")


def terminate_backends(round: Round, seconds: float) -> None:
    """End every connection of Ferryman's to Postgres, again and again."""
    deadline = time.monotonic() + seconds
    times = 0
    while time.monotonic() < deadline:
        # Postgres itself may be away, when this is one of two faults.
        with suppress(psycopg.OperationalError), psycopg.connect(round.stack.database_url) as connection:
            connection.execute(_TERMINATE)
            round.interruptions += 2
            times += 1
        time.sleep(0.25)
    round.story.append(f"ended all connections {times} times")


def exhaust_connections(round: Round, seconds: float) -> None:
    """Take every connection that Postgres has, those of Ferryman's too."""
    with ExitStack() as held:
        connections = 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                held.enter_context(psycopg.connect(round.stack.database_url, connect_timeout=2))
                connections += 1
            except psycopg.OperationalError:
                time.sleep(0.02)
                continue
            if connections == 1:
                killer = held.enter_context(psycopg.connect(round.stack.database_url, autocommit=True))
            killer.execute(_TERMINATE)
    round.interruptions += 2
    round.story.append(f"held {connections} connections")


def make_read_only(round: Round, seconds: float) -> None:
    """Have Postgres take no changes for so long; sessions that were made meanwhile stay read-only for ever after."""
    _in_maintenance(round, _READ_ONLY.format("on"))
    _in_maintenance(round, _TERMINATE)
    round.interruptions += 2
    time.sleep(seconds)
    _in_maintenance(round, _READ_ONLY.format("off"))
    # Whoever was turned away meanwhile has lost its units once more.
    round.interruptions += math.ceil(seconds / LEASE_SECONDS)
    round.story.append(f"read-only for {seconds:g} s")


def _in_maintenance(round: Round, statement: str) -> None:
    """Carry a statement out by a session that may write whatever the others may."""
    with psycopg.connect(round.stack.database_url, autocommit=True, application_name="operator") as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute(statement)


@contextmanager
def pooled(round: Round) -> Iterator[Child]:
    """Put a PgBouncer between the daemons and Postgres until the block ends; give its process."""
    direct = round.stack.database_url
    place = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=round.stack.data.root))
    with running_pgbouncer(place, direct) as pooler:
        between = {
            "DATABASE_URL": pooled_url(direct, pooler.port),
            "FERRYMAN_SESSION_DATABASE_URL": direct,
            "FERRYMAN_PREPARE_STATEMENTS": "0",
        }
        before = {name: round.child(name).spec for name in DAEMONS}
        for name, spec in before.items():
            round.child(name).spec = replace(spec, environment={**spec.environment, **between})
            terminate(round, name)
        try:
            yield pooler.child
        finally:
            for name, spec in before.items():
                round.child(name).spec = spec
                terminate(round, name)


@contextmanager
def in_background(work: Callable[[Event], None]) -> Iterator[None]:
    """Do something beside, until the block ends."""
    stop = Event()
    thread = Thread(target=work, args=[stop], daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
