"""A huge run leaves room for others on the same daemons."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from app.store.db.database import connect
from tests.support.http_server import Request, Response
from tests.support.patience import WaitFor
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Sync, Workspace, child_of, listed

SMALL_RUNS = 200
UNFINISHED = 20
"""No more small runs than this are waited for at once: what is measured is the room that is left, not the machine."""
CHILD_SECONDS = 1.0
LONGEST_SECONDS = 5.0

_ENDED = text("select count(*) from sync_job_run where sync_job_id = :job_id and finished_at is not null")
_SECONDS = text("""
    select extract(epoch from finished_at - created_at) as seconds from sync_job_run
     where sync_job_id = :job_id and status = 'completed' order by seconds
""")


@pytest.fixture
def engine(node_environment: Mapping[str, str]) -> Iterator[Engine]:
    made = connect(node_environment["DATABASE_URL"], pool_size=1)
    yield made
    made.dispose()


@pytest.fixture
def huge_run(node_workspace: Workspace, upstream: Upstream, wait_for: WaitFor) -> Iterator[tuple[Sync, str]]:
    """A run at work on 20 units, whose every request takes a second."""
    upstream.lists("/parents", numbered("parent", 4000), page_size=200)
    upstream.answers("/children", slow)
    sync = node_workspace.sync(upstream.url, [listed("parents"), child_of("parents", "children")])
    run_id = sync.start()
    wait_for(lambda: len(upstream.asked("/children")) > 50, what="the huge run to be at work")
    yield sync, run_id
    sync.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})


def slow(_request: Request) -> Response:
    time.sleep(CHILD_SECONDS)
    return reply({"data": [], "next_cursor": None})


def small_accounts(sync: Sync) -> list[str]:
    shown = sync.api.get(f"/integrated-account/{sync.account_id}")
    body = {"integration_name": shown["integration_name"], "tenant_id": "small", "context": {}}
    with ThreadPoolExecutor(4) as posters:
        posts = posters.map(lambda _: sync.api.post("/integrated-account", body), range(SMALL_RUNS))
        return [str(account["id"]) for account in posts]


def ended(engine: Engine, sync: Sync) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_ENDED, {"job_id": sync.job_id}).scalar_one())


def test_small_runs_end_soon_beside_a_huge_one(
    node_workspace: Workspace, upstream: Upstream, huge_run: tuple[Sync, str], engine: Engine, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 3))
    small = node_workspace.sync(upstream.url, [listed("users")])

    for number, account_id in enumerate(small_accounts(small)):
        if number % 5 == 0:
            wait_for(lambda least=number - UNFINISHED: ended(engine, small) >= least, 60, what="earlier small runs")
        small.api.post("/sync-job-run", {"sync_job_id": small.job_id, "integrated_account_id": account_id})
    wait_for(lambda: ended(engine, small) == SMALL_RUNS, 60, what="the small runs' end")

    with engine.connect() as connection:
        seconds = [float(row.seconds) for row in connection.execute(_SECONDS, {"job_id": small.job_id})]
    print(f"small runs: median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s")
    assert len(seconds) == SMALL_RUNS
    assert seconds[-1] < LONGEST_SECONDS
    sync, run_id = huge_run
    assert sync.status(run_id) == "running"
