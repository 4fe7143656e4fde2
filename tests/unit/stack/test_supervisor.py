from pathlib import Path

import pytest

from app.stack.supervisor import Supervisor, backoff_seconds


@pytest.mark.parametrize(
    ("restarts", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (10_000, 30.0)], ids=str
)
def test_backoff_doubles_up_to_half_a_minute(restarts: int, seconds: float) -> None:
    assert backoff_seconds(restarts) == seconds


def test_supervisor_of_no_children_ends(tmp_path: Path) -> None:
    supervisor = Supervisor(run_dir=tmp_path, log_dir=tmp_path, report=print)
    supervisor.spawn()

    supervisor.stop()

    assert supervisor.children == {}
