"""What the API's master imports for its workers can be forked: no thread, no file and no connection comes with it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.serving import gunicorn_config

_PROGRAM = """
import os

from app.serving import gunicorn_config

def held():
    return len(os.listdir("/proc/self/task")), {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                                                if os.path.exists(f"/proc/self/fd/{fd}")}

before = held()
gunicorn_config.on_starting(None)
import sys
assert "app.api.application" in sys.modules
assert "app.wsgi" not in sys.modules
assert held() == before, (before, held())
"""


def test_what_a_master_imports_can_be_forked() -> None:
    program = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(program, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_metrics_of_a_master_that_was_killed_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    names = {"dead": f"ferryman-metrics-{dead.pid}-a1", "alive": f"ferryman-metrics-{os.getpid()}-b2"}
    others = ("ferryman-metrics-old", "ferryman-metrics-x-y", "else")
    for name in (*names.values(), *others):
        (tmp_path / name).mkdir()
    (tmp_path / names["dead"] / "counter_1.db").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    gunicorn_config.remove_leftovers()

    assert {one.name for one in tmp_path.iterdir()} == {names["alive"], *others}
