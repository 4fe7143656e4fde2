"""Nothing lost, nothing doubled: real processes are killed, stopped and frozen in the middle of two runs."""

import shutil
import signal
import time
from collections.abc import Sequence

import pytest

from app.stack.child import Child
from app.stack.stack import Stack
from tests.chaos.conftest import LEASE_SECONDS
from tests.chaos.sync_under_fire import SyncUnderFire
from tests.support.patience import wait_for

SHUTDOWN_SECONDS = 10.0


def assert_exact(runs: Sequence[SyncUnderFire], *, kills: int) -> None:
    for run in runs:
        run.assert_exact(kills=kills)


def ends(reports: Sequence[str]) -> list[str]:
    """Tell which children ended, and how."""
    return [report.partition(";")[0] for report in reports]


def wait_for_exit(child: Child, pid: int | None, timeout: float) -> None:
    wait_for(lambda: child.pid != pid, timeout, what=f"the exit of {child.spec.name}")


def test_killed_daemon(stack: Stack, runs: list[SyncUnderFire]) -> None:
    stack.children["daemon-1"].kill()

    assert_exact(runs, kills=1)


def test_both_daemons_killed(stack: Stack, runs: list[SyncUnderFire]) -> None:
    for name in ("daemon-1", "daemon-2"):
        stack.children[name].kill()

    assert_exact(runs, kills=2)


def test_terminated_daemon_leaves_in_time_and_repeats_nothing(
    stack: Stack, runs: list[SyncUnderFire], reports: list[str]
) -> None:
    daemon = stack.children["daemon-2"]
    first = daemon.pid

    daemon.restart()

    wait_for_exit(daemon, first, SHUTDOWN_SECONDS)
    assert_exact(runs, kills=0)
    assert ends(reports) == ["daemon-2 exited with status 0"]


def test_daemons_outlive_redis_killed_and_emptied(stack: Stack, runs: list[SyncUnderFire], reports: list[str]) -> None:
    redis = stack.children["redis"]
    first = redis.pid

    redis.kill()
    wait_for_exit(redis, first, SHUTDOWN_SECONDS)
    for path in stack.data.redis.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert_exact(runs, kills=0)
    assert ends(reports) == ["redis ended by SIGKILL"]


def test_daemons_outlive_a_restart_of_postgres(stack: Stack, runs: list[SyncUnderFire], reports: list[str]) -> None:
    postgres = stack.children["postgres"]
    first = postgres.pid

    postgres.restart()

    wait_for_exit(postgres, first, 30)
    wait_for(postgres.is_ready, what="Postgres")
    assert_exact(runs, kills=2)
    assert ends(reports) == ["postgres exited with status 0"]


def test_api_killed(stack: Stack, runs: list[SyncUnderFire]) -> None:
    stack.children["api"].kill()

    assert_exact(runs, kills=0)


@pytest.mark.parametrize("name", ["daemon-1", "daemon-2"])
def test_paused_daemon_is_fenced_off(stack: Stack, runs: list[SyncUnderFire], name: str) -> None:
    """One of the two leads: the other must take the lead over, then the units."""
    daemon = stack.children[name]
    daemon.send(signal.SIGSTOP)
    paused_at = time.monotonic()
    try:
        wait_for(lambda: any(run.has_repeats for run in runs), what="somebody who takes the paused daemon's units")
        assert time.monotonic() - paused_at >= LEASE_SECONDS / 2
    finally:
        daemon.send(signal.SIGCONT)

    assert_exact(runs, kills=1)


def test_stopped_runs_fetch_nothing_more(stack: Stack, runs: list[SyncUnderFire]) -> None:
    for run in runs:
        run.sync.api.patch(f"/sync-job-run/{run.run_id}", {"status": "stopped"})
    asked = [run.asked for run in runs]
    rows = [len(run.rows()) for run in runs]

    for run in runs:
        run.wait_until_quiet(1.5)
        run.wait_for_end()

    assert [run.status for run in runs] == ["stopped", "stopped"]
    assert [len(run.rows()) for run in runs] == rows
    # What each daemon had in flight when it learned of the stop.
    assert all(run.asked - before <= 2 * 16 for run, before in zip(runs, asked, strict=True))
