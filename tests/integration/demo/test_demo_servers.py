"""The demo's servers as processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.client import ApiClient, ApiError
from app.demo.servers import run_servers
from app.stack import sockets
from app.stack.data_directory import DataDirectory


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path)
    directory.create()
    return directory


def test_servers_answer_until_they_are_stopped(data: DataDirectory) -> None:
    with run_servers(data, report=pytest.fail) as servers:
        assert servers.upstream.get("/stats")["holds"] == {"users": 300, "tickets": 2000, "comments": 4998}
        assert servers.receiver.get("/stats")["verified"] == 0

    for client in (servers.upstream, servers.receiver):
        with pytest.raises(ApiError, match="can not reach"):
            client.get("/stats")


def test_upstream_listens_on_the_port_it_is_given() -> None:
    with sockets.listen("127.0.0.1", 0, option="--port") as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-u", "-m", "app.demo.sample_upstream", "--port", str(port))

    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        greeting = process.stdout.readline()
        held = ApiClient(f"http://127.0.0.1:{port}").get("/stats")["holds"]["users"]
        process.terminate()

    assert (str(port) in greeting, held, process.returncode) == (True, 300, 0)


@pytest.mark.parametrize("arguments", [[], ["--port", "many"], ["--port", "1", "--fd", "1"]], ids=str)
def test_wrong_arguments_are_a_usage_fault(arguments: list[str]) -> None:
    command = (sys.executable, "-m", "app.demo.webhook_receiver", *arguments)

    ended = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)

    assert (ended.returncode, "usage:" in ended.stderr) == (2, True)
