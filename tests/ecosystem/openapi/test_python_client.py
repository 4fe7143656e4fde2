"""A client that openapi-python-client makes of the document is type-checked, and creates, follows and reads a run."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.ecosystem_tools import python_tool, run

_PROGRAM: Final = Path(__file__).with_name("python_client.py")
_TYPES: Final = """
[mypy]
strict = True

# The generator's own file, the same for every document, is not written for strict checks.
[mypy-ferryman_client.client]
ignore_errors = True

# The generator casts the items of every array, of any type too.
[mypy-ferryman_client.models.*]
disable_error_code = redundant-cast
"""


@pytest.fixture(scope="module")
def project(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the generated package and the program that uses it; the generator had nothing to say."""
    place = tmp_path_factory.mktemp("python")
    command = [python_tool("openapi-python-client"), "generate", "--path", str(document_file)]
    programs = os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]])  # it formats by its own ruff

    said = run(
        [*command, "--meta", "none", "--output-path", "ferryman_client"], within=place, environment={"PATH": programs}
    )

    assert said.split() == ["Generating", "ferryman_client"]
    shutil.copy(_PROGRAM, place)
    (place / "mypy.ini").write_text(_TYPES)
    return place


def test_the_types_are_right(project: Path) -> None:
    python = python_tool("python")

    said = run([sys.executable, "-m", "mypy", "--python-executable", python, _PROGRAM.name], within=project)

    assert "no issues found" in said


def test_the_program_reads_its_run(project: Path, access: dict[str, str]) -> None:
    said = run([python_tool("python"), _PROGRAM.name], within=project, environment=access)

    assert json.loads(said) == {
        "status": "completed",
        "error": None,
        "items": ["RequestItem", "TransformItem"],
        "paging": "CursorPagination",
        "persisted": 2,
        "records": [{"id": "1", "title": "Ada"}],
        "refusal": ["sync_job_id"],
    }
