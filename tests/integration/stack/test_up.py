"""`ferryman up` as a user has it: the real command, its signals, and what is left behind."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Eventually = Callable[[Callable[[], object]], None]
UP = [sys.executable, "-m", "app.cli", "up", "--port", "0", "--daemons", "1"]


class Ferryman:
    """A running `ferryman up`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*UP, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.addresses = self._read_addresses()

    def _read_addresses(self) -> dict[str, str]:
        """Read what it prints until everything is up."""
        addresses: dict[str, str] = {}
        lines = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if match := re.match(r"  (\w+) +(\S.*)", line):
                addresses[match[1]] = match[2].strip()
            if "Logs" in addresses:
                return addresses
        raise AssertionError(f"it ended with status {self.process.wait()} before it was up: {''.join(lines)}")

    @property
    def pids(self) -> dict[str, int]:
        return {path.stem: json.loads(path.read_text())["pid"] for path in (self.data_dir / "run").glob("*.pid")}

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection(self.addresses["API"].removeprefix("http://"), timeout=30)
        token = (self.data_dir / "token").read_text().strip()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        status = connection.getresponse().status
        connection.close()
        return status

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def ferryman(open_dir: Path) -> Iterator[Ferryman]:
    running = Ferryman(open_dir / "data")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGINT)


def session_members(leaders: set[int]) -> list[int]:
    """Find every process of the sessions that the children led."""
    members = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            session = int((directory / "stat").read_text().rpartition(")")[2].split()[3])
        except OSError:
            continue
        if session in leaders:
            members.append(int(directory.name))
    return members


def fails(*arguments: str, **environment: str) -> str:
    """Run `ferryman up` that is to be refused; give its one sentence."""
    result = subprocess.run(
        [*UP, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    return result.stderr


def test_up_serves_the_api_with_the_token_it_wrote(ferryman: Ferryman) -> None:
    assert ferryman.get("/ping") == 200
    assert set(ferryman.pids) == {"postgres", "redis", "api", "flower", "daemon-1"}
    assert (ferryman.data_dir / "token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_every_process(ferryman: Ferryman, number: signal.Signals) -> None:
    leaders = set(ferryman.pids.values())
    assert len(session_members(leaders)) > len(leaders)

    code = ferryman.end(number)

    assert code == 0
    assert session_members(leaders) == []
    assert ferryman.pids == {}


def test_kill_of_the_command_itself_leaves_no_process(ferryman: Ferryman, eventually: Eventually) -> None:
    leaders = set(ferryman.pids.values())

    ferryman.end(signal.SIGKILL)

    eventually(lambda: session_members(leaders) == [])


def test_children_that_are_killed_are_started_again(ferryman: Ferryman, eventually: Eventually) -> None:
    first = ferryman.pids

    for pid in first.values():
        os.kill(pid, signal.SIGKILL)

    eventually(lambda: ferryman.pids.keys() == first.keys() and not first.items() & ferryman.pids.items())
    eventually(lambda: ferryman.get("/ping") == 200)


def test_data_and_token_survive_a_restart(ferryman: Ferryman) -> None:
    token = (ferryman.data_dir / "token").read_text()
    ferryman.end(signal.SIGTERM)

    again = Ferryman(ferryman.data_dir)

    assert again.get("/ping") == 200
    assert (ferryman.data_dir / "token").read_text() == token
    again.end(signal.SIGINT)


def test_second_up_on_the_same_directory_is_refused(ferryman: Ferryman) -> None:
    assert "a stack already runs on" in fails("--data-dir", str(ferryman.data_dir))


def test_taken_port_is_refused_before_anything_starts(open_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        sentence = fails("--port", port, "--data-dir", str(open_dir / "data"))

    assert f"port {port}: Address already in use" in sentence
    assert not (open_dir / "data" / "postgres").exists()


def test_unwritable_directory_is_refused() -> None:
    assert "the data directory /proc/none can not be written" in fails("--data-dir", "/proc/none")
