import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from app import failpoints
from app.failpoints import Failpoint, Failpoints

HITS = "from app import failpoints\nfor n in range({hits}):\n failpoints.hit(failpoints.Failpoint.AFTER_FETCH)"


def run(directory: Path | None, *, hits: int) -> int:
    """Come to a failpoint so often in a process of its own; give the process's status."""
    environment = {} if directory is None else {"FERRYMAN_FAILPOINTS": str(directory)}
    command = [sys.executable, "-c", HITS.format(hits=hits)]
    return subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], check=False).returncode


def test_process_dies_at_the_hit_that_was_armed_and_its_successor_lives(tmp_path: Path) -> None:
    file = failpoints.arm(tmp_path, Failpoint.AFTER_FETCH, 3)

    statuses = [run(tmp_path, hits=2), run(tmp_path, hits=3), run(tmp_path, hits=9)]

    assert statuses == [0, -SIGKILL, 0]
    assert not file.exists()


@pytest.mark.parametrize("armed", [None, Failpoint.BEFORE_ACK], ids=["none", "another"])
def test_process_lives_when_its_failpoint_is_not_armed(tmp_path: Path, armed: Failpoint | None) -> None:
    if armed:
        failpoints.arm(tmp_path, armed, 1)

    assert run(tmp_path, hits=5) == 0


def test_process_that_was_told_of_no_directory_lives(tmp_path: Path) -> None:
    failpoints.arm(tmp_path, Failpoint.AFTER_FETCH, 1)

    assert run(None, hits=5) == 0


def test_hits_before_arming_do_not_count(tmp_path: Path) -> None:
    points = Failpoints(tmp_path)
    points.hit(Failpoint.AFTER_FETCH)
    points.hit(Failpoint.AFTER_FETCH)

    file = failpoints.arm(tmp_path, Failpoint.AFTER_FETCH, 2)
    points.hit(Failpoint.AFTER_FETCH)

    assert file.exists()
