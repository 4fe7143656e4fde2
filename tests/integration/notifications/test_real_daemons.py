"""Daemons as they run: a sync that fails is told, and told again when it is over, by whoever leads."""

from tests.support.notified_place import Slack
from tests.support.patience import wait_for
from tests.support.upstream import Upstream, reply
from tests.support.workspace import Workspace, listed


def test_sync_that_fails_is_told_and_so_is_its_end(workspace: Workspace, upstream: Upstream, slack: Slack) -> None:
    upstream.answers("/users", lambda _request: reply({"error": "no"}, status=401))
    sync = workspace.sync(upstream.url, [listed("users")])
    client = workspace.api
    made = client.post("/notification-destination", {"type": "slack", "config": {"webhook_url": slack.url}})

    assert client.post(f"/notification-destination/{made['id']}/test")["success"] is True
    sync.finished(sync.start(error_handling="fail_fast"))
    failed = wait_for(lambda: [text for text in slack.texts if ": runs fail" in text], what="the message")
    upstream.answers("/users", lambda _request: reply({"data": [{"id": "1"}], "next_cursor": None}))
    sync.finished(sync.start())
    over = wait_for(lambda: [text for text in slack.texts if text.startswith("*Over: ")], what="the end")

    assert sync.account_id in failed[0]
    assert any(sync.account_id in text for text in over)
