"""The sessions of README and of the tutorial, typed as printed but for the ports, which may be taken here."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL

import psycopg
import pytest

from app.stack import extras, postgres
from app.stack.data_directory import DataDirectory
from app.stack.joining import build_joining_environment, find_socket_root
from app.stack.stack import Stack, StackOptions
from tests.support.server_directory import server_directory

PROJECT_ROOT = Path(__file__).parents[2]
README = (PROJECT_ROOT / "README.md").read_text()
TUTORIAL = "".join((PROJECT_ROOT / "docs" / page).read_text() for page in ("first-steps.md", "next-steps.md"))
PARQUET = (PROJECT_ROOT / "docs" / "parquet.md").read_text()
TABLES = (PROJECT_ROOT / "docs" / "tables.md").read_text()
OPERATIONS = (PROJECT_ROOT / "docs" / "operations.md").read_text()
API_URL = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A working directory as after ``make up``: a ``.venv`` and a ``.ferryman``, with the stack running."""
    with server_directory("ferryman-session-") as place:
        (place / ".venv").symlink_to(sys.prefix)
        with Stack(StackOptions(data_dir=place / ".ferryman", port=0, flower=False)):
            yield place


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def typed(session: str, place: Path, environment: Mapping[str, str] | None = None) -> str:
    """Type a session into a shell that ends at the first command that fails; return what it prints."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", session],
        cwd=place,
        env={**os.environ, "TERM": "dumb", "PYTHONPATH": str(PROJECT_ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, errors = shell.communicate(timeout=240)
        except BaseException:
            os.killpg(shell.pid, SIGKILL)
            raise
        if shell.returncode:
            os.killpg(shell.pid, SIGKILL)
    assert shell.returncode == 0, output + errors
    return output


def with_own_ports(session: str, place: Path) -> str:
    assert API_URL in session
    session = session.replace(API_URL, (place / ".ferryman" / "run" / "api-url").read_text())
    with ExitStack() as probes:
        for printed in ("9000", "9100"):
            probe = probes.enter_context(socket.create_server(("127.0.0.1", 0)))
            session = session.replace(printed, str(probe.getsockname()[1]))
    return session


def test_session_of_readme_works_as_printed(place: Path) -> None:
    (session,) = (block for block in blocks(README) if "app.demo.sample_upstream" in block)

    output = typed(with_own_ports(session, place), place)

    assert "completed" in output
    page = json.loads(output[output.index("\n{") :])
    assert [record["resource"] for record in page["result"]] == ["tickets", "tickets"]


def test_tutorial_works_and_prints_what_it_shows(place: Path) -> None:
    shown = re.findall(r"^```text\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)

    output = typed(with_own_ports("\n".join(blocks(TUTORIAL)), place), place)

    left = iter(output.splitlines())
    for line in "".join(shown).splitlines():
        pattern = _pattern(line)
        assert any(pattern.fullmatch(" ".join(one.split())) for one in left), f"{line!r} is not printed:\n{output}"
    assert len(shown) >= 8


def test_tickets_become_a_parquet_file_as_printed(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])

    output = typed("\n".join(blocks(PARQUET)).replace("9000", port), place)

    assert "[(2000, 2000)]" in output
    assert '"account_id","tenant_id","remote_id","sequence","synced_at","deleted_at",' in output


def _pattern(line: str) -> re.Pattern[str]:
    """Read a printed line: ``…`` is anything, and so are ports and how wide a table's columns are."""
    text = ".*".join(re.escape(part.strip()) for part in " ".join(line.split()).split("…"))
    return re.compile(re.sub(r":9[01]00\b", r":\\d+", text))


def test_commands_of_typed_tables_work_as_printed(place: Path) -> None:
    for block in blocks(TABLES):
        typed(block, place)


def test_backup_of_operations_is_restored_whole(place: Path) -> None:
    joined = build_joining_environment(place / ".ferryman")
    restored_url = postgres.build_url(find_socket_root(DataDirectory(place / ".ferryman")), "restored")
    with psycopg.connect(joined["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("create database restored")
    programs = os.pathsep.join(
        [str(extras.find_postgres_programs()), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    session = "".join(re.findall(r"^```sh (?:backup|restore)\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL))

    output = typed(session, place, {**joined, "RESTORED_URL": restored_url, "PATH": programs})

    assert "current" in output
    assert _held(restored_url) == _held(joined["DATABASE_URL"])


def _held(database_url: str) -> list[tuple[int]]:
    tables = ("api_token", "encryption_key", "integrated_account", "sync_job_run", "record")
    counts = " union all ".join(f"select count(*) from {table}" for table in tables)
    with psycopg.connect(database_url) as connection:
        return connection.execute(counts).fetchall()
