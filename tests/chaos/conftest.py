"""One Ferryman and one outside world for all scenarios; each begins with every process up."""

import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from app.engine.ids import new_id
from app.stack import commands
from app.stack.stack import Stack, StackOptions
from tests.chaos import sync_under_fire
from tests.chaos.outside_world import all_pages
from tests.chaos.sync_under_fire import SyncUnderFire
from tests.support.ferryman import new_workspace
from tests.support.patience import wait_for

LEASE_SECONDS: Final = 4.0
SETTINGS: Final[Mapping[str, str]] = {
    "FERRYMAN_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "FERRYMAN_RING_AFTER_SECONDS": "4",
    "FERRYMAN_SLICE_SECONDS": "3",
    "FERRYMAN_SWEEP_SECONDS": "0.5",
    "FERRYMAN_HEARTBEAT_SECONDS": "1",
    "FERRYMAN_DAEMON_SILENCE_SECONDS": "4",
    "FERRYMAN_CHILDREN_PER_UNIT": "20",
}


@pytest.fixture(scope="module")
def outside_url() -> Iterator[str]:
    """Run the upstreams and receivers; give their address."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        command = [sys.executable, "-m", "tests.chaos.outside_world", "--fd", str(listener.fileno())]
        with subprocess.Popen(
            command, cwd=commands.PROJECT_ROOT, pass_fds=[listener.fileno()], stdout=subprocess.DEVNULL
        ) as process:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            process.terminate()


@pytest.fixture(scope="module")
def all_reports() -> list[str]:
    """What the supervisor had to tell so far."""
    return []


@pytest.fixture(scope="module")
def ferryman(all_reports: list[str]) -> Iterator[Stack]:
    """Run a whole Ferryman with two daemons."""
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as name:
        options = StackOptions(
            data_dir=Path(name) / "data", port=0, daemons=2, concurrency=4, flower=False, environment=dict(SETTINGS)
        )
        with Stack(options, report=all_reports.append) as stack:
            yield stack


@pytest.fixture
def stack(ferryman: Stack) -> Stack:
    """Give the Ferryman once all of it works, its supervisor patient again."""
    wait_for(lambda: all(child.is_ready() for child in ferryman.children.values()), what="a whole Ferryman")
    for child in ferryman.children.values():
        child.restarts = 0
    return ferryman


@pytest.fixture
def reports(stack: Stack, all_reports: list[str]) -> list[str]:
    """What the supervisor has to tell of the test's own children: a line for each that ended."""
    all_reports.clear()
    return all_reports


@pytest.fixture
def dice() -> random.Random:
    """Decide by chance, but print the seed: CHAOS_SEED repeats it."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def runs(stack: Stack, outside_url: str, dice: random.Random) -> list[SyncUnderFire]:
    """A daemon run and a webhook run, both under way at a random point between a tenth and a half."""
    seed = f"{dice.randrange(16**8):x}"
    workspace = new_workspace(stack.database_url, stack.api_url)
    begun = [
        sync_under_fire.start(
            workspace, f"{seed}-{new_id()}", seed, outside_url, stack.database_url, has_webhook=has_webhook
        )
        for has_webhook in (False, True)
    ]
    pages = len(all_pages())
    for run in begun:
        run.wait_until_asked(int(dice.uniform(0.1, 0.5) * pages) if not run.has_webhook else pages // 20)
    assert [run.status for run in begun] == ["running", "running"]
    return begun
