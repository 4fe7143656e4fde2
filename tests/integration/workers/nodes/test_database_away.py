"""Postgres goes away for a moment, as in an update: whoever needs it waits, and nothing is lost."""

from app.client import ApiClient, ApiError
from app.stack.stack import Stack
from tests.support.patience import WaitFor
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, listed


def is_well(api: ApiClient) -> bool:
    try:
        return bool(api.get("/healthz"))
    except ApiError:
        return False


def test_run_survives_a_restart_of_postgres(
    ferryman: Stack, workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    users = numbered("user", 10)
    upstream.lists("/users", users, page_size=2)
    gate = upstream.gate("/users", from_cursor="4")
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    gate.wait_for_request()
    postgres = ferryman.children["postgres"]
    before = postgres.pid

    postgres.restart()
    wait_for(lambda: postgres.pid != before, what="the end of Postgres")
    gate.open()
    wait_for(lambda: is_well(workspace.api), what="Postgres again")

    run = sync.finished(run_id)
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    assert sync.records("users") == {user["id"]: user for user in users}
    assert run["resource_stats"]["users"]["list"]["created"] == len(users)
