"""What the tests of the stack share: patience, and a supervisor on a directory of its own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.stack.child import ChildSpec
from app.stack.data_directory import DataDirectory
from app.stack.supervisor import Supervisor
from tests.support.patience import wait_for
from tests.support.server_directory import server_directory

Eventually = Callable[[Callable[[], object]], object]


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds."""
    return wait_for


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that others can reach: pytest closes those above ``tmp_path`` whenever another session starts."""
    with server_directory() as place:
        yield place


@pytest.fixture
def data(open_dir: Path) -> DataDirectory:
    directory = DataDirectory(open_dir / "data")
    directory.create()
    return directory


@pytest.fixture
def reports() -> list[str]:
    """What the supervisor had to tell."""
    return []


@pytest.fixture
def supervisor(data: DataDirectory, reports: list[str]) -> Iterator[Supervisor]:
    running = Supervisor(run_dir=data.run, log_dir=data.logs, report=reports.append)
    yield running
    running.stop()


@pytest.fixture
def python_child(tmp_path: Path) -> Callable[..., ChildSpec]:
    """Make the spec of a child that runs a Python program given as text."""

    def make(name: str, program: str, **options: Any) -> ChildSpec:
        command = (sys.executable, "-S", "-c", program)
        return ChildSpec(name=name, command=command, environment={}, working_dir=tmp_path, **options)

    return make
