"""``ferryman logs``: a run's entries in the order of what happened, and the lines of a process."""

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.cli.watching import process_logs
from tests.integration.cli.watching.conftest import Watched


def test_entries_of_a_run_come_oldest_first(watched: Watched) -> None:
    run_id = watched.sync.start()
    watched.api.client.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})

    told = watched.api.ferryman("logs", run_id)
    last = watched.api.ferryman("logs", run_id, "--limit", "1")

    assert [line.split()[1] for line in told.stdout.splitlines()] == ["created", "stopped"]
    assert last.stdout == told.stdout.splitlines()[-1] + "\n"


def test_entries_are_json_on_request(watched: Watched, run_id: str) -> None:
    told = watched.api.ferryman("logs", run_id, "--json")

    assert json.loads(told.stdout)["sync_job_run_event"] == "sync_job_run:created"


def test_run_is_followed_until_it_ends(watched: Watched) -> None:
    run_id = watched.sync.start()
    stop = threading.Timer(0.3, watched.api.client.patch, [f"/sync-job-run/{run_id}", {"status": "stopped"}])
    stop.start()

    told = watched.api.ferryman("logs", run_id, "--follow")
    stop.join()

    assert told.exit_code == 0
    assert [line.split()[1] for line in told.stdout.splitlines()] == ["created", "stopped"]


def test_unknown_id_is_one_sentence(watched: Watched) -> None:
    told = watched.api.ferryman("logs", "nobody")

    assert told.exit_code == 1
    assert "nobody" in told.stderr


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A data directory in which a daemon has written."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "daemon-1.log").write_text("one\ntwo\nthree")
    return tmp_path


def logs_of(directory: Path, *arguments: str) -> str:
    result = CliRunner(env={"FERRYMAN_DATA_DIR": str(directory)}).invoke(main, ["logs", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_last_lines_of_a_process_are_printed_without_an_api(directory: Path) -> None:
    assert logs_of(directory, "daemon-1", "--limit", "2") == "two\nthree\n"
    assert json.loads(logs_of(directory, "daemon-1", "--limit", "1", "--json")) == {"line": "three"}


def test_file_is_followed_and_read_anew_once_it_was_cut(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = directory / "logs" / "daemon-1.log"
    contents = iter(["one\ntwo\nthree\nfour\n", "five\n"])
    monkeypatch.setattr("app.cli.watching.process_logs.time.sleep", lambda _seconds: file.write_text(next(contents)))

    lines = process_logs.read_lines(file, limit=1, follow=True)

    assert [next(lines).strip() for _ in range(4)] == ["three", "", "four", "five"]


@pytest.mark.parametrize("name", ["../token", "a/b", "", ".", "daemon 1"])
def test_name_leads_to_no_other_file(directory: Path, name: str) -> None:
    (directory / "token.log").write_text("secret")

    assert process_logs.find_file(directory, name) is None
