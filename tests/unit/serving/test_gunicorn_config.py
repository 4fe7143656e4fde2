"""What the API's master imports for its workers can be forked: no thread, no file and no connection comes with it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


_MASTER = """
import sys
from app.serving import gunicorn_config
kept = gunicorn_config.make_directory()
print(kept[0], flush=True)
sys.stdin.read()
"""


def test_metrics_of_a_master_that_was_killed_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept, lock = gunicorn_config.make_directory()
    others = (tmp_path / "ferryman-metrics-old", tmp_path / "else")
    for one in others:
        one.mkdir()

    with started_master(tmp_path) as (master, its):
        Path(its, "counter_1.db").touch()
        gunicorn_config.remove_leftovers()
        assert Path(its).is_dir()
        master.kill()
        master.wait()
        gunicorn_config.remove_leftovers()

    assert set(tmp_path.iterdir()) == {Path(kept), *others}
    os.close(lock)


@contextmanager
def started_master(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a process that has a directory of metrics; yield it and the directory."""
    with subprocess.Popen(
        [sys.executable, "-c", _MASTER],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as master:
        assert master.stdout is not None
        yield master, master.stdout.readline().strip()
