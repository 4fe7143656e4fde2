"""A daemon whose clock is wrong: ``python -m tests.chaos.skewed_daemon SECONDS GROUP CONCURRENCY``."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.engine.ids import new_id
from app.stack import commands

if TYPE_CHECKING:
    from tests.chaos.arena import Round


@contextmanager
def with_clock_skew(round: "Round", name: str, seconds: int) -> Iterator[None]:
    """Kill a daemon and have it start again with its clock wrong, until the block ends."""
    child, options = round.child(name), round.stack.options
    right = child.spec
    wrong = ("-m", "tests.chaos.skewed_daemon", str(seconds), options.group, str(options.concurrency))
    child.spec = replace(right, command=(sys.executable, *wrong))
    round.kill(name)
    round.story.append(f"clock {seconds:+d} s")
    try:
        yield
    finally:
        child.spec = right
        pid = child.pid
        child.restart()
        round.wait_for_exit(name, pid)


def main(seconds: int, group: str, concurrency: int) -> None:
    """Be a daemon: as ``ferryman daemon``, but in this process, whose clock was turned before."""
    right_time = time.time
    time.time = lambda: right_time() + seconds
    from app.bootstrap.shared import SystemClock
    from workers.daemon import main as run_daemon

    setattr(SystemClock, "now", lambda _self: datetime.now(UTC) + timedelta(seconds=seconds))  # noqa: B010
    daemon_id = new_id()
    os.environ |= {"FERRYMAN_DAEMON_ID": daemon_id, "FERRYMAN_DAEMON_GROUP": group}
    sys.argv = list(commands.build_daemon_command(daemon_id, group=group, concurrency=concurrency)[2:])
    run_daemon()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
