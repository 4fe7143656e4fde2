"""The whole demo as its user runs it: a process of its own, from nothing to nothing."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.patience import LONGEST_SECONDS
from tests.support.server_directory import server_directory

COMMAND = (sys.executable, "-u", "-m", "app.cli", "demo")
PROJECT_ROOT = Path(__file__).parents[3]


# Not tmp_path, which is too long for the sockets within.
@pytest.fixture
def temporary() -> Iterator[Path]:
    with server_directory() as place:
        yield place


@contextmanager
def running_demo(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(COMMAND, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_demo_proves_every_count_and_leaves_nothing(temporary: Path) -> None:
    with running_demo(temporary) as demo:
        output, _ = demo.communicate()

    assert demo.returncode == 0, output
    assert "✓ Every count is exactly what the upstream holds." in output
    assert len(re.findall(r"comments +4,998 +4,998 +0 +[\d,]+ +4,998 +4,998  ✓", output)) == 2
    assert max(map(len, output.splitlines())) <= 80
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("moment", "number"),
    [("Ferryman", signal.SIGINT), ("Daemon run", signal.SIGTERM)],
)
def test_interrupted_demo_leaves_nothing(temporary: Path, moment: str, number: signal.Signals) -> None:
    with running_demo(temporary) as demo:
        assert demo.stdout is not None
        while moment not in demo.stdout.readline():
            assert demo.poll() is None
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        demo.communicate()

    assert demo.returncode == 130
    assert psutil.wait_procs(children, timeout=LONGEST_SECONDS)[1] == []
    assert list(temporary.iterdir()) == []
