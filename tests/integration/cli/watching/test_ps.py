"""``ferryman ps``: what it prints once, and what it redraws on a terminal."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from signal import SIGINT
from typing import Any

import pytest

from app.cli.watching.ps import Look, look
from app.client import ApiError
from app.engine.status import DaemonStatus
from app.store.db.database import connect
from app.store.maintenance.daemons import DaemonStore
from tests.integration.cli.watching.conftest import Watched
from tests.support.patience import wait_for


def test_run_is_shown_with_what_it_waits_for(watched: Watched, run_id: str) -> None:
    shown = watched.api.shown("ps", "--once")

    (run,) = shown["runs"]
    assert {name: run[name] for name in ("id", "status", "integrated_account_id", "records")} == {
        "id": run_id,
        "status": "created",
        "integrated_account_id": watched.sync.account_id,
        "records": 0,
    }
    assert run["waits"][0].startswith(("a daemon", "the broker"))
    assert shown["daemons"] == []


def test_words_and_tables_are_printed_without_a_terminal(watched: Watched, run_id: str) -> None:
    told = watched.api.ferryman("ps")

    assert told.exit_code == 0
    head, *rest = told.stdout.splitlines()
    assert head == "1 runs under way, 1 wait, 0.0 records/s; 0 daemons active"
    assert re.search(rf"{run_id} +created +{watched.sync.account_id} +- +0 +- +(a daemon|the broker)", "\n".join(rest))


def test_daemons_are_shown_with_the_duties_that_fail(watched: Watched) -> None:
    engine = connect(watched.api.database_url, pool_size=1)
    store = DaemonStore(engine)
    store.register("d", group_key="eu", label="eu-1@machine", metadata={})
    store.record_failing("d", {"triggers": {"error": "ValueError"}})

    told = watched.api.ferryman("ps").stdout
    store.set_status("d", DaemonStatus.STOPPED)
    gone = watched.api.ferryman("ps").stdout
    engine.dispose()

    assert told.splitlines()[0].endswith("1 daemons active")
    assert re.search(r"eu-1@machine +eu +active +- +triggers", told)
    assert "eu-1" not in gone


def test_without_a_run_there_is_one_line(watched: Watched) -> None:
    assert watched.api.ferryman("ps").stdout == "0 runs under way, 0 wait, 0.0 records/s; 0 daemons active\n"


def test_more_than_the_limit_is_said(watched: Watched, run_id: str) -> None:
    second = watched.sync.start()

    told = watched.api.ferryman("ps", "--limit", "1").stdout
    watched.api.client.patch(f"/sync-job-run/{second}", {"status": "stopped"})

    assert told.startswith("more than 1 runs under way")


class Client:
    """An API of which a test says the answers."""

    def __init__(self, fetched: int, seconds: float | None = 10.0) -> None:
        self.fetched = fetched
        self.seconds = seconds

    def get(self, path: str, query: Any = None) -> Any:
        if path == "/daemon":
            return {"result": []}
        if path.endswith("/waits"):
            if self.seconds is None:
                raise ApiError(404, "gone")
            return {"waits": [], "seconds": self.seconds, "is_slow": False}
        stats = {"users": {"list": {"fetched": self.fetched, "status": "running"}}}
        run = {"id": "r", "status": "running", "integrated_account_id": "a", "sync_job_id": "j"}
        return {"result": [{**run, "resource_stats": stats}], "next_cursor": None}


def rate(seen: Look) -> float | None:
    value: float | None = seen.runs[0]["records_per_second"]
    return value


def test_rate_is_that_since_the_look_before() -> None:
    first = look(Client(1000), limit=1, seconds=100.0)  # type: ignore[arg-type]
    second = look(Client(1500), limit=1, seconds=102.0, before=first)  # type: ignore[arg-type]
    another = look(Client(50), limit=1, seconds=104.0, before=replace(second, fetched={}))  # type: ignore[arg-type]

    assert [rate(seen) for seen in (first, second, another)] == [100.0, 250.0, 5.0]
    assert first.runs[0]["resources"] == ["users list"]


def test_run_that_is_removed_meanwhile_waits_for_nothing() -> None:
    seen = look(Client(7, seconds=None), limit=1, seconds=1.0)  # type: ignore[arg-type]

    assert (seen.runs[0]["waits"], rate(seen)) == ([], None)


@contextmanager
def on_a_terminal(watched: Watched, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Type a command on a terminal of its own."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "FERRYMAN_URL": watched.api.url, "FERRYMAN_TOKEN": watched.api.token}
    command = [sys.executable, "-m", "app.cli", *arguments]
    process = subprocess.Popen(
        command,
        env={**environment, "TERM": "xterm", "COLUMNS": "300", "LINES": "40"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        yield process, controller
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def read_on(controller: int) -> None:
    """Take what a process still writes until it ends: a terminal that nobody reads holds up who writes to it."""
    with suppress(OSError):
        while os.read(controller, 65536):
            pass


def test_terminal_is_redrawn_until_it_is_interrupted(watched: Watched) -> None:
    seen = b""

    def shows(words: str) -> bool:
        nonlocal seen
        seen += os.read(controller, 65536)
        return words.encode() in seen

    with on_a_terminal(watched, "ps", "--interval", "0.5") as (process, controller):
        wait_for(lambda: shows("0 runs under way"), what="the first look")
        run_id = watched.sync.start()
        wait_for(lambda: shows(run_id), what="a later look")
        process.send_signal(SIGINT)
        read_on(controller)

        assert process.wait(30) == 130
    watched.api.client.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})


@pytest.mark.parametrize("option", [("--limit", "0"), ("--interval", "0"), ("--more",)])
def test_wrong_options_are_usage_errors(watched: Watched, option: tuple[str, ...]) -> None:
    assert watched.api.ferryman("ps", *option).exit_code == 2
