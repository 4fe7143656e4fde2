"""README's session by hand, run as it is printed but for the ports, which may be taken here."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from app.stack.stack import Stack, StackOptions

PROJECT_ROOT = Path(__file__).parents[2]


@pytest.fixture
def place() -> Iterator[Path]:
    """A working directory as after ``make up``: a ``.venv`` and a ``.ferryman``, with the stack running."""
    with tempfile.TemporaryDirectory(prefix="ferryman-readme-") as name:
        place = Path(name)
        (place / ".venv").symlink_to(sys.prefix)
        with Stack(StackOptions(data_dir=place / ".ferryman", port=0, flower=False)):
            yield place


def session(api_url: str) -> str:
    """Read the session's commands, with addresses that are free here."""
    text = (PROJECT_ROOT / "README.md").read_text()
    (block,) = (
        str(block) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "app.demo.sample_upstream" in block
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    assert "http://127.0.0.1:8000" in block
    return block.replace("http://127.0.0.1:8000", api_url).replace("9000", port)


def test_session_works_as_printed(place: Path) -> None:
    api_url = (place / ".ferryman" / "run" / "api-url").read_text()
    environment = {**os.environ, "TERM": "dumb", "PYTHONPATH": str(PROJECT_ROOT)}

    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", session(api_url)],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, errors = shell.communicate(timeout=120)
        except BaseException:
            os.killpg(shell.pid, SIGKILL)
            raise

    assert shell.returncode == 0, errors
    assert "completed" in output
    page = json.loads(output[output.index("\n{") :])
    assert [record["resource"] for record in page["result"]] == ["tickets", "tickets"]
