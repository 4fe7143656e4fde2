"""`ferryman up` as a user has it: the real command, its signals, and what is left behind."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from app.stack import redis
from app.stack.data_directory import DataDirectory
from app.stack.joining import build_joining_environment
from app.stack.supervisor import Supervisor
from tests.support.patience import LONGEST_SECONDS

Eventually = Callable[[Callable[[], object]], None]
UP = [sys.executable, "-m", "app.cli", "up", "--port", "0"]
SERVERS_ONLY = ["--daemons", "0", "--no-flower"]


class Ferryman:
    """A running `ferryman up`."""

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*UP, *options, "--data-dir", str(data_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "BROKER_URL": "", **environment},
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
        connection = http.client.HTTPConnection(self.addresses["API"].removeprefix("http://"), timeout=LONGEST_SECONDS)
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

    def __enter__(self) -> "Ferryman":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGINT)


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


def refusal(*arguments: str, **environment: str) -> str:
    """Run `ferryman up` that is to be refused; give its one sentence."""
    result = subprocess.run(
        [*UP, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "BROKER_URL": "", **environment},
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    return result.stderr


def test_up_serves_the_api_until_ctrl_c_ends_every_process(open_dir: Path) -> None:
    with Ferryman(open_dir / "data", "--daemons", "1") as ferryman:
        leaders = set(ferryman.pids.values())

        assert set(ferryman.pids) == {"postgres", "redis", "api", "flower", "daemon-1"}
        assert ferryman.get("/ping") == 200
        assert (ferryman.data_dir / "token").stat().st_mode & 0o777 == 0o600
        assert "a stack already runs on" in refusal("--data-dir", str(ferryman.data_dir))
        assert len(session_members(leaders)) > len(leaders)
        assert ferryman.end(signal.SIGINT) == 0

    assert session_members(leaders) == []
    assert ferryman.pids == {}


def test_data_and_token_survive_restarts_of_every_kind(open_dir: Path, eventually: Eventually) -> None:
    tokens = set()
    for number, code in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGKILL, -signal.SIGKILL)):
        with Ferryman(open_dir / "data", *SERVERS_ONLY) as ferryman:
            leaders = set(ferryman.pids.values())
            tokens.add((ferryman.data_dir / "token").read_text())

            assert ferryman.get("/ping") == 200
            assert ferryman.end(number) == code
        eventually(lambda leaders=leaders: session_members(leaders) == [])  # type: ignore[misc]

    assert len(tokens) == 1


def test_taken_port_is_refused_before_anything_starts(open_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        sentence = refusal("--port", port, "--data-dir", str(open_dir / "data"))

    assert f"port {port}: Address already in use" in sentence
    assert not (open_dir / "data" / "postgres").exists()


def test_broker_of_the_user_is_taken_and_its_login_is_not_shown(
    open_dir: Path, supervisor: Supervisor, data: DataDirectory
) -> None:
    """Its own broker stands for one that the user has; those who join the stack find it too."""
    supervisor.spawn(redis.build_child(data.redis, data.run))
    supervisor.wait_until_ready()
    with Redis(unix_socket_path=str(data.run / redis.SOCKET_NAME)) as client:
        client.config_set("requirepass", "hidden-word")
    url = f"redis+socket://:hidden-word@{data.run / redis.SOCKET_NAME}"

    wrong = refusal("--data-dir", str(open_dir / "wrong"), BROKER_URL=url.replace("hidden", "another"))
    assert ("invalid username-password pair" in wrong, "another-word" in wrong) == (True, False)
    assert not (open_dir / "wrong" / "postgres").exists()
    with Ferryman(open_dir / "other", *SERVERS_ONLY, BROKER_URL=url) as ferryman:
        kept = ferryman.data_dir / "run" / "broker-url"

        assert set(ferryman.pids) == {"postgres", "api"}
        assert ferryman.addresses["Broker"] == f"redis+socket://{data.run / redis.SOCKET_NAME} (BROKER_URL)"
        assert build_joining_environment(ferryman.data_dir)["BROKER_URL"] == url
        assert kept.stat().st_mode & 0o777 == 0o600
        assert ferryman.get("/ping") == 200
        assert ferryman.end(signal.SIGINT) == 0

    assert not kept.exists()


def test_unwritable_directory_is_refused() -> None:
    assert "the data directory /proc/none can not be written" in refusal("--data-dir", "/proc/none")
