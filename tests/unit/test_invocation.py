"""Advice is printed as it can be typed."""

import sys
from pathlib import Path

import pytest

from app import invocation


def called(monkeypatch: pytest.MonkeyPatch, program: str, path: str) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setenv("PATH", path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    made = tmp_path / "a venv" / "ferryman"
    made.parent.mkdir()
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_program_on_the_path_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    called(monkeypatch, str(script), str(script.parent))

    assert invocation.write_command(["run", "show", "a b"]) == "ferryman run show 'a b'"


def test_program_of_an_environment_that_is_not_active_is_called_by_its_path(
    monkeypatch: pytest.MonkeyPatch, script: Path
) -> None:
    monkeypatch.chdir(script.parents[1])
    called(monkeypatch, "a venv/ferryman", "/nowhere")

    assert invocation.write_command(["up"]) == "'a venv/ferryman' up"
    assert invocation.rewrite_commands("run 'ferryman migrate' first") == "run ''a venv/ferryman' migrate' first"


def test_module_is_called_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    called(monkeypatch, "/somewhere/app/cli/__main__.py", "/nowhere")

    assert invocation.name_program() == f"{sys.executable} -m app.cli"


@pytest.mark.parametrize("program", ["/usr/bin/pytest", "/gone/ferryman", ""])
def test_program_that_is_called_by_another_one_has_its_own_name(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    called(monkeypatch, program, "/nowhere")

    assert invocation.name_program() == "ferryman"
