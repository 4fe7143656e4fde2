"""What the API's master imports for its workers can be forked: no thread, no file and no connection comes with it."""

import subprocess
import sys
from pathlib import Path

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
