"""A huge run leaves room for others on the same daemons."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from app.store.database import connect
from tests.support.http_server import Request, Response
from tests.support.patience import WaitFor
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Sync, Workspace, child_of, listed

SMALL_RUNS = 200
POSTERS = 4
CHILD_SECONDS = 1.0
LONGEST_SECONDS = 5.0

_SECONDS = text("""
    select extract(epoch from finished_at - created_at) as seconds, status from sync_job_run
     where sync_job_id = :job_id order by seconds
""")


def slow(_request: Request) -> Response:
    time.sleep(CHILD_SECONDS)
    return reply({"data": [], "next_cursor": None})


def huge_run(workspace: Workspace, upstream: Upstream) -> tuple[Sync, str]:
    """Start a run of 20 units whose every request takes its time."""
    upstream.lists("/parents", numbered("parent", 4000), page_size=200)
    upstream.answers("/children", slow)
    sync = workspace.sync(upstream.url, [listed("parents"), child_of("parents", "children")])
    return sync, sync.start()


def small_accounts(sync: Sync) -> list[str]:
    shown = sync.api.get(f"/integrated-account/{sync.account_id}")
    body = {"integration_name": shown["integration_name"], "tenant_id": "small", "context": {}}
    with ThreadPoolExecutor(POSTERS) as posters:
        posts = posters.map(lambda _: sync.api.post("/integrated-account", body), range(SMALL_RUNS))
        return [str(account["id"]) for account in posts]


def test_small_runs_end_soon_beside_a_huge_one(
    node_workspace: Workspace, node_environment: Mapping[str, str], upstream: Upstream, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 3))
    small = node_workspace.sync(upstream.url, [listed("users")])
    accounts = small_accounts(small)
    huge, huge_id = huge_run(node_workspace, upstream)
    wait_for(lambda: len(upstream.asked("/children")) > 50, what="the huge run to be at work")

    for account_id in accounts:
        body = {"sync_job_id": small.job_id, "integrated_account_id": account_id}
        small.api.post("/sync-job-run", body)

    engine = connect(node_environment["DATABASE_URL"], pool_size=1)

    def ended() -> list[float]:
        with engine.connect() as connection:
            rows = connection.execute(_SECONDS, {"job_id": small.job_id}).all()
        seconds = [float(row.seconds) for row in rows if row.status == "completed"]
        return seconds if len(seconds) == SMALL_RUNS else []

    seconds = wait_for(ended, 60, what="the small runs' end")
    engine.dispose()
    print(f"small runs: median {seconds[SMALL_RUNS // 2]:.2f} s, longest {seconds[-1]:.2f} s")
    assert huge.status(huge_id) == "running"
    huge.api.patch(f"/sync-job-run/{huge_id}", {"status": "stopped"})
    assert seconds[-1] < LONGEST_SECONDS
