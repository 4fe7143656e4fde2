"""A user resumes a run over the API, and real daemons carry it on."""

from typing import Any

import pytest

from app.client import ApiError
from app.engine.ids import new_id
from tests.support.patience import WaitFor
from tests.support.reached_ahead import AHEAD_OF_A_CURSOR
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Workspace, child_of, listed


def test_stopped_run_goes_on_at_its_page(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 20), page_size=2)
    gate = upstream.gate("/users", from_cursor="8")
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    gate.wait_for_request()
    workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    gate.open()

    resumed: Any = workspace.api.post(f"/sync-job-run/{run_id}/resume")
    ended = sync.finished(run_id)

    assert (resumed["status"] in ("created", "running"), resumed["resumes"]) == (True, 1)
    assert (ended["status"], ended["error"]) == ("completed", None)
    assert len(sync.records("users")) == 20
    # What was under way at the stop is asked for once more: a page, and perhaps the one behind it.
    assert len(upstream.asked("/users")) <= 11 + AHEAD_OF_A_CURSOR
    books: Any = workspace.api.get(f"/sync-job-run/{run_id}/verify")
    assert (books["balanced"], books["status"]) == (True, "completed")


def test_errors_only_asks_again_for_what_failed(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/teams", numbered("team", 3))
    members = {"team-1": numbered("a", 1), "team-3": numbered("c", 1)}
    upstream.lists_by("/members", "parent", members)
    sync = workspace.sync(upstream.url, [listed("teams"), child_of("teams", "members")])
    run_id = sync.run()["id"]
    members["team-2"] = numbered("b", 2)

    workspace.api.post(f"/sync-job-run/{run_id}/resume", {"errors_only": True})
    ended = sync.finished(run_id)

    stats = ended["resource_stats"]["members"]["list"]
    assert (ended["status"], stats["errors"], stats["retried"], stats["status"]) == ("completed", 1, 1, "completed")
    assert set(sync.records("members")) == {"a-1", "b-1", "b-2", "c-1"}
    assert (len(upstream.asked("/teams")), len(upstream.asked("/members"))) == (1, 4)
    assert workspace.api.get(f"/sync-job-run/{run_id}/verify")["balanced"] is True


def test_failed_webhook_run_is_resumed_without_a_second_started(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.answers_in_turn("/users", reply({}, 403), reply({"data": numbered("user", 2)}))
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start(webhook_id=workspace.webhook(receiver), error_handling="fail_fast")
    assert sync.finished(run_id)["status"] == "failed"

    workspace.api.post(f"/sync-job-run/{run_id}/resume")

    assert sync.finished(run_id)["status"] == "completed"
    wait_for(lambda: receiver.events[-1:] == ["completed"])
    assert receiver.events == ["created", "started", "record_error", "failed", "updated", "record", "completed"]


def test_what_can_not_be_resumed_is_told(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [])
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.run()["id"]

    with pytest.raises(ApiError, match="nothing to resume") as caught:
        workspace.api.post(f"/sync-job-run/{run_id}/resume")
    assert caught.value.status == 400
    with pytest.raises(ApiError, match="does not exist") as missing:
        workspace.api.post(f"/sync-job-run/{new_id()}/resume")
    assert missing.value.status == 404
    with pytest.raises(ApiError, match="errors_only"):
        workspace.api.post(f"/sync-job-run/{run_id}/resume", {"errors_only": "yes"})
