"""Which daemon takes a run: one of its group, whenever it comes; and a repeated request makes no second run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.ids import new_id
from app.stack.stack import Stack
from tests.support.process_nodes import DaemonNode, fresh_daemon
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, listed


@pytest.fixture
def late_daemon(ferryman: Stack, tmp_path: Path) -> Iterator[DaemonNode]:
    """A daemon of a group of its own, not started yet."""
    daemon = fresh_daemon(ferryman.environment, tmp_path, group_key=f"late-{new_id()}", is_started=False)
    yield daemon
    daemon.teardown()


def test_run_waits_in_created_until_a_daemon_of_its_group_comes(
    workspace: Workspace, upstream: Upstream, late_daemon: DaemonNode
) -> None:
    upstream.lists("/users", numbered("user", 3))
    sync = workspace.sync(upstream.url, [listed("users")])
    waiting = sync.start(daemon_group_key=late_daemon.group_key)
    assert sync.run()["status"] == "completed"
    assert (sync.status(waiting), sync.show(waiting)["started_at"]) == ("created", None)

    late_daemon.container.start()

    run = sync.finished(waiting)
    assert (run["status"], run["daemon_id"]) == ("completed", late_daemon.daemon_id)
    (registered,) = workspace.api.get("/daemon", {"group_key": late_daemon.group_key})["result"]
    assert (registered["id"], registered["status"]) == (late_daemon.daemon_id, "active")


def test_same_idempotency_key_gives_the_same_run(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 1))
    sync = workspace.sync(upstream.url, [listed("users")])
    key = {"Idempotency-Key": new_id()}

    first = workspace.api.call("POST", "/sync-job-run", sync.body, headers=key)
    sync.finished(first["id"])
    again = workspace.api.call("POST", "/sync-job-run", sync.body, headers=key)

    assert (again["id"], again["status"]) == (first["id"], "completed")
    assert len(upstream.asked("/users")) == 1
