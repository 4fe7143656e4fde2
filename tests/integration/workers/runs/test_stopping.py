"""A user stops a run: within a page of work nothing more is fetched or written."""

from typing import Any

import pytest

from app.client import ApiError
from tests.support.patience import WaitFor, wait_for
from tests.support.reached_ahead import AHEAD_OF_A_CURSOR
from tests.support.upstream import Gate, Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed


@pytest.fixture
def gate(upstream: Upstream) -> Gate:
    """Ten pages of users, of which the second is held back."""
    upstream.lists("/users", numbered("user", 20), page_size=2)
    return upstream.gate("/users", from_cursor="2")


@pytest.fixture
def run_id(sync: Sync, gate: Gate) -> str:
    """A run that has written one page and waits for the next, which it has requested meanwhile."""
    started = sync.start()
    gate.wait_for_request()
    wait_for(lambda: len(sync.records("users")) == 2, what="the first page")
    return started


@pytest.fixture
def sync(workspace: Workspace, upstream: Upstream) -> Sync:
    return workspace.sync(upstream.url, [listed("users")])


def test_patched_run_is_stopped_at_once_and_writes_no_late_page(
    workspace: Workspace, sync: Sync, gate: Gate, run_id: str, upstream: Upstream
) -> None:
    stopped: Any = workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    gate.open()
    after = sync.run(resources=[listed("users", query={"cursor": "18"})])

    assert (stopped["status"], sync.status(run_id)) == ("stopped", "stopped")
    assert stopped["finished_at"] is not None
    assert after["status"] == "completed"
    assert set(sync.records("users")) == {"user-1", "user-2", "user-19", "user-20"}
    # The page that was under way may have led to the one behind it.
    assert len(upstream.asked("/users")) <= 3 + AHEAD_OF_A_CURSOR


def test_deleted_live_run_is_stopped_and_stays_to_be_seen(
    workspace: Workspace, sync: Sync, gate: Gate, run_id: str
) -> None:
    answer = workspace.api.delete(f"/sync-job-run/{run_id}")
    gate.open()

    assert answer == {"id": run_id}
    assert sync.finished(run_id)["status"] == "stopped"


def test_deleted_finished_run_is_gone_but_its_records_stay(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 2))
    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run()

    workspace.api.delete(f"/sync-job-run/{run['id']}")

    with pytest.raises(ApiError) as caught:
        sync.show(run["id"])
    assert caught.value.status == 404
    assert set(sync.records("users")) == {"user-1", "user-2"}


def test_stopping_a_finished_run_changes_nothing(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [])
    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run()

    answer: Any = workspace.api.patch(f"/sync-job-run/{run['id']}", {"status": "stopped"})

    assert (answer["status"], answer["finished_at"]) == ("completed", run["finished_at"])


def test_run_that_waits_for_a_daemon_can_be_stopped(
    workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start(daemon_group_key="nobody-serves-this")

    workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})

    wait_for(lambda: sync.status(run_id) == "stopped")
    assert upstream.requests == []
