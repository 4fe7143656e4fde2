"""What is done to processes and connections: kill, freeze, empty, exhaust."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import psycopg

from app.stack.child import Child
from tests.chaos.arena import LEASE_SECONDS, Round
from tests.support.patience import wait_for

_TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ferryman'"


def terminate(round: Round, name: str) -> None:
    """Ask a process to end as a deploy does; wait until it has, and its successor works."""
    child = round.child(name)
    pid = child.pid
    child.restart()
    round.story.append(f"terminated {name}")
    round.wait_for_exit(name, pid)
    wait_for(child.is_ready, 60, what=f"a new {name}")


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
    wait_for(child.is_ready, 60, what=f"{name} again")


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
        wait_for(lambda: moved_on() or round.are_over, 60, what="somebody who takes the paused daemon's units")


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
