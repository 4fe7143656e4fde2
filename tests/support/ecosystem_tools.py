"""Tools of npm, and of PyPI beside the lock, that ``make ecosystem-tools`` installs next to the checkout's own."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.debian import need

_CHECKOUT: Final = Path(__file__).parents[2]
NODE_MODULES: Final = _CHECKOUT / ".node-tools" / "node_modules"
_PYTHON_TOOLS: Final = _CHECKOUT / ".venv-tools" / "bin"
_INSTALL: Final = "make ecosystem-tools"
_LONGEST_SECONDS: Final = 400


def node() -> str:
    """Return the program that runs JavaScript; skip or fail without it."""
    program = shutil.which("node")
    need(program, package="nodejs")
    return str(program)


def npm_program(name: str) -> str:
    """Return a program of a package of npm; skip or fail without it."""
    node()
    program = NODE_MODULES / ".bin" / name
    need(str(program) if program.exists() else None, package=name, install=_INSTALL)
    return str(program)


def python_tool(name: str) -> str:
    """Return a program of the tools' own virtual environment; skip or fail without it."""
    program = _PYTHON_TOOLS / name
    need(str(program) if program.exists() else None, package=name, install=_INSTALL)
    return str(program)


def run(command: Sequence[str], *, within: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in a directory and return all that it said; fail with that when the command does."""
    done = subprocess.run(
        command,
        cwd=within,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, f"{Path(command[0]).name} ended with {done.returncode}:\n{said}"
    return said
