"""Runs of one job that share a mutex wait for each other in sight of their user."""

import pytest

from app.client import ApiError
from tests.support.patience import WaitFor
from tests.support.upstream import Gate, Upstream, numbered
from tests.support.workspace import CURSOR_PAGES, Sync, Workspace, listed


@pytest.fixture
def gate(upstream: Upstream) -> Gate:
    upstream.lists("/users", numbered("user", 4), page_size=2)
    return upstream.gate("/users", from_cursor="2")


@pytest.fixture
def sync(workspace: Workspace, upstream: Upstream) -> Sync:
    sync = workspace.sync(
        upstream.url,
        [listed("users")],
        config={**CURSOR_PAGES, "non_secret": ["context.region"]},
        args_schema={"shard": {"type": "string"}},
        context={"region": "eu"},
    )
    workspace.api.patch(f"/sync-job/{sync.job_id}", {"mutex_key": "{{region}}-{{args.shard}}-{{tenant_id}}"})
    return sync


def test_second_run_waits_in_sight_and_starts_when_the_first_was_stopped(
    workspace: Workspace, sync: Sync, gate: Gate, wait_for: WaitFor
) -> None:
    first = sync.start(args={"shard": "a"})
    gate.wait_for_request()
    second = sync.start(args={"shard": "a"})
    beside = sync.start(args={"shard": "b"})
    wait_for(lambda: sync.status(beside) == "running")

    waiting = sync.show(second)
    workspace.api.patch(f"/sync-job-run/{first}", {"status": "stopped"})
    gate.open()
    ended = sync.finished(second)

    assert (waiting["status"], waiting["waiting_on"], waiting["mutex_key"]) == ("created", first, "eu-a-tenant-1")
    assert (ended["status"], ended["waiting_on"]) == ("completed", None)
    assert ended["started_at"] >= sync.show(first)["finished_at"]
    assert sync.finished(beside)["status"] == "completed"


def test_forced_run_does_not_wait_and_a_run_may_have_a_key_of_its_own(
    sync: Sync, gate: Gate, wait_for: WaitFor
) -> None:
    first = sync.start(args={"shard": "a"}, mutex_key="mine")
    gate.wait_for_request()
    forced = sync.start(args={"shard": "a"}, mutex_key="mine", force=True)

    wait_for(lambda: sync.status(forced) == "running")
    assert (sync.show(forced)["waiting_on"], sync.show(forced)["force"]) == (None, True)
    gate.open()
    assert [sync.finished(id)["status"] for id in (first, forced)] == ["completed"] * 2


def test_key_that_does_not_resolve_is_refused(workspace: Workspace, sync: Sync) -> None:
    with pytest.raises(ApiError, match=r"args\.shard"):
        sync.start()
    with pytest.raises(ApiError, match="mutex_key"):
        workspace.api.patch(f"/sync-job/{sync.job_id}", {"mutex_key": "{{args.shard:nonsense}}"})
