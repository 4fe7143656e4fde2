"""Daemons of a group are told apart by numbers, which are free again once their daemons are gone."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.stack.daemon_names import take_name

HOLDER = """
import os, sys
from pathlib import Path
from app.stack.daemon_names import take_name
print(take_name(sys.argv[1], broker_url=sys.argv[2], directory=Path(sys.argv[3])), flush=True)
os.execvp("cat", ["cat"])
"""


def hold(group: str, broker: str, directory: Path) -> "tuple[str, subprocess.Popen[str]]":
    """Have another process take a name, and become another program, as a daemon does."""
    command = [sys.executable, "-c", HOLDER, group, broker, str(directory)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process.stdout.readline().strip(), process


def let_go(process: "subprocess.Popen[str]") -> None:
    process.communicate()
    assert process.returncode == 0


def test_the_lowest_free_number_is_taken_and_freed_by_the_end_of_its_daemon(tmp_path: Path) -> None:
    place = tmp_path / "names"
    first, one = hold("eu", "redis://a", place)
    second, two = hold("eu", "redis://a", place)
    others = [take_name(group, broker_url=broker, directory=place) for group, broker in (("us", "a"), ("eu", "b"))]

    let_go(one)
    third, three = hold("eu", "redis://a", place)
    let_go(two)
    let_go(three)

    assert [first, second, third, *others] == ["eu-1", "eu-2", "eu-1", "us-1", "eu-1"]


def test_where_nothing_can_be_locked_the_name_is_unlike_any_other(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    names = {take_name("eu", broker_url="x", directory=tmp_path / "file") for _ in range(5)}

    assert len(names) == 5
    assert all(name.startswith("eu-") for name in names)


def test_a_directory_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: -1)

    assert take_name("eu", broker_url="x", directory=tmp_path) not in ("eu-1", "eu-2")
