"""The commands that join a stack which runs, and the daemon that stands beside it."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client import ApiClient, ApiError
from app.stack.stack import Stack, StackOptions
from tests.support.patience import LONGEST_SECONDS
from tests.support.server_directory import server_directory

HERE = f"{sys.executable} -m app.cli"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with server_directory() as place:
        options = StackOptions(data_dir=place, port=0, group="eu", daemons=1, flower=False)
        with Stack(options, report=print) as running:
            yield running


def ferryman(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments, "--data-dir", str(stack.data.root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)


def ping(stack: Stack, token: str) -> int:
    connection = http.client.HTTPConnection(stack.api_url.removeprefix("http://"), timeout=LONGEST_SECONDS)
    connection.request("GET", "/ping", headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_token_works_until_it_is_revoked(stack: Stack) -> None:
    secret = ferryman(stack, "token", "create", "--name", "ci [1]").stdout.strip()
    listed = ferryman(stack, "token", "list").stdout
    token_id = next(line.split()[0] for line in listed.splitlines() if "ci [1]" in line)

    assert ping(stack, secret) == 200
    assert secret not in listed
    assert ferryman(stack, "token", "revoke", token_id).returncode == 0
    assert ping(stack, secret) == 401


def test_environment_is_made_and_its_token_may_what_its_role_says(stack: Stack) -> None:
    made = ferryman(stack, "environment", "create", "customer [2]").stdout.strip()
    options = ("--environment", "customer [2]", "--role", "read", "--expires-in", "12h")
    secret = ferryman(stack, "token", "create", *options).stdout.strip()
    listed = ferryman(stack, "token", "list", "--environment", "customer [2]").stdout
    call = ApiClient(stack.api_url, secret)

    assert [entry["id"] for entry in call.get("/environment")["result"]] == [made]
    assert ("read" in listed, "valid until" in listed) == (True, True)
    assert made in ferryman(stack, "environment", "list").stdout
    with pytest.raises(ApiError, match="needs a token of the role 'admin'"):
        call.post("/webhook", {"target_url": "https://example.com"})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("environment", "create", "default"), "an environment called 'default' exists already"),
        (("environment", "create", " "), "name: is empty"),
        (("token", "create", "--environment", "nowhere"), "environment 'nowhere' does not exist"),
        (("token", "create", "--expires-in", "4000d"), "'4000d' is no time such as 90m"),
        (("token", "create", "--role", "root"), "'root' is not one of 'read', 'run', 'admin'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_of_tokens_and_environments_are_told(stack: Stack, arguments: tuple[str, ...], reason: str) -> None:
    result = ferryman(stack, *arguments)

    assert (result.returncode != 0, reason in result.stderr) == (True, True)


def test_revoke_of_no_token_is_one_sentence(stack: Stack) -> None:
    result = ferryman(stack, "token", "revoke", "none")

    assert (result.returncode, result.stderr) == (1, "Error: api token 'none' does not exist\n")


def test_keys_are_rotated_while_the_stack_runs(stack: Stack) -> None:
    call = ApiClient(stack.api_url, stack.token)
    webhook = call.post("/webhook", {"target_url": "https://example.com"})

    rotated = ferryman(stack, "keys", "rotate")
    listed = ferryman(stack, "keys", "list")

    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stderr.startswith(f"next: {HERE} keys list --data-dir ")
    assert "made a new key; 1 rows are encrypted anew" in rotated.stdout
    assert [line.split()[2:] for line in listed.stdout.splitlines()][1] == ["current", "1"]
    assert call.get(f"/webhook/{webhook['id']}")["id"] == webhook["id"]


def test_run_commands_find_the_stack_by_its_directory(stack: Stack) -> None:
    result = ferryman(stack, "run", "list")

    assert (result.returncode, result.stdout) == (0, "There are no such runs.\n")


def test_health_tells_of_a_group_that_has_a_daemon_here(stack: Stack) -> None:
    assert ferryman(stack, "health", "--group", "eu").returncode == 0

    result = ferryman(stack, "health", "--group", "us")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: no daemon of group 'us' on ")


def test_daemon_joins_the_stack_and_leaves_on_sigterm(stack: Stack) -> None:
    command = [sys.executable, "-m", "app.cli", "daemon", "--group", "us", "--data-dir", str(stack.data.root)]
    with (stack.data.logs / "beside.log").open("w") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + LONGEST_SECONDS
        while ferryman(stack, "health", "--group", "us").returncode != 0:
            assert time.monotonic() < deadline, (stack.data.logs / "beside.log").read_text()
            assert daemon.poll() is None

        daemon.send_signal(signal.SIGTERM)

        assert daemon.wait(LONGEST_SECONDS) == 0


def test_killed_children_come_back_with_the_same_data(stack: Stack) -> None:
    before = {name: child.pid for name, child in stack.children.items()}

    for child in stack.children.values():
        child.kill()

    deadline = time.monotonic() + LONGEST_SECONDS
    while not all(child.is_ready() and child.pid != before[name] for name, child in stack.children.items()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ping(stack, stack.token) == 200


def test_commands_say_so_when_no_stack_runs(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "app.cli", "token", "list", "--data-dir", str(tmp_path)]

    result = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=LONGEST_SECONDS, check=False
    )

    assert result.returncode == 1
    assert result.stderr == f"Error: no stack runs on {tmp_path}; start one by '{HERE} up --data-dir {tmp_path}'\n"
