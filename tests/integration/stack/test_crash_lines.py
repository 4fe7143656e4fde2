"""Whatever dies below `ferryman up` is started again and works, and no caller loses what was accepted."""

import base64
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from typing import Any

import psycopg
import pytest

from app.client import ApiError
from app.engine.ids import new_id
from app.stack.child import Child
from app.stack.stack import Stack, StackOptions
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.patience import LONGEST_SECONDS, WaitFor
from tests.support.server_directory import server_directory
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed

_END_SESSIONS = """
    select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'ferryman'
"""
USERS = numbered("user", 10)


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with server_directory() as place:
        options = StackOptions(data_dir=place, port=0, daemons=1, environment=dict(IMPATIENT))
        with Stack(options, report=print) as stack:
            yield stack


@pytest.fixture
def stack(running: Stack, wait_for: WaitFor) -> Stack:
    """The stack, whole and patient again."""
    wait_for(lambda: all(child.is_ready() for child in running.children.values()), 60, what="a whole stack")
    for child in running.children.values():
        child.restarts = 0
    return running


@pytest.fixture
def place(stack: Stack) -> Workspace:
    return new_workspace(stack.database_url, stack.api_url)


@pytest.fixture
def sync(place: Workspace, upstream: Upstream) -> Sync:
    upstream.lists("/users", USERS, page_size=2)
    return place.sync(upstream.url, [listed("users")])


def workers_of(pid: int) -> list[int]:
    """List the children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def wait_until_new(child: Child, before: int | None, wait_for: WaitFor) -> None:
    wait_for(lambda: child.pid not in {None, before} and child.is_ready(), 60, what=f"{child.spec.name} again")


def assert_exact(sync: Sync, run_id: str) -> None:
    run = sync.finished(run_id)
    assert (run["status"], run["error"], sync.errors(run_id)) == ("completed", None, [])
    assert sync.records("users") == {user["id"]: user for user in USERS}


def test_killed_gunicorn_takes_its_workers_along_and_callers_wait(
    stack: Stack, place: Workspace, wait_for: WaitFor
) -> None:
    api = stack.children["api"]
    master = api.pid
    assert master is not None
    workers = wait_for(lambda: workers_of(master), what="workers")

    os.kill(master, signal.SIGKILL)
    wait_for(lambda: all(is_gone(pid) for pid in workers), what="the end of the orphans")

    assert place.api.get("/ping") == {"ping": "pong"}
    wait_until_new(api, master, wait_for)


def test_killed_worker_of_the_api_is_replaced(stack: Stack, place: Workspace, wait_for: WaitFor) -> None:
    master = stack.children["api"].pid
    assert master is not None
    workers = wait_for(lambda: found if len(found := workers_of(master)) == 2 else [], what="two workers")

    os.kill(workers[0], signal.SIGKILL)

    wait_for(lambda: len(found := workers_of(master)) == 2 and workers[0] not in found, what="another worker")
    assert stack.children["api"].pid == master
    assert place.api.get("/ping") == {"ping": "pong"}


def test_api_that_dies_in_mid_request_makes_one_run_of_a_repeated_request(
    stack: Stack, place: Workspace, sync: Sync, wait_for: WaitFor
) -> None:
    api, key = stack.children["api"], {"Idempotency-Key": new_id()}
    before, answers = api.pid, []

    def post() -> None:
        try:
            answers.append(place.api.call("POST", "/sync-job-run", sync.body, headers=key)["id"])
        except ApiError as error:
            answers.append(error.status)

    with psycopg.connect(stack.database_url) as holder:
        holder.execute("lock table outbox in access exclusive mode")
        caller = threading.Thread(target=post)
        caller.start()
        wait_for(lambda: _waits_for_lock(holder), what="the request at the lock")
        api.kill()
        caller.join()
    wait_until_new(api, before, wait_for)
    post()
    post()

    assert answers[0] is None
    assert answers[1] == answers[2]
    assert_exact(sync, answers[1])
    assert len(place.api.get("/sync-job-run", {"sync_job_id": sync.job_id})["result"]) == 1


def _waits_for_lock(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("select count(*) from pg_locks where not granted").fetchone()
    return bool(row and row[0])


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"])
def test_flower_lets_nobody_in_without_a_password(stack: Stack, path: str) -> None:
    assert stack.flower_url is not None
    assert _flower_status(stack.flower_url, path, "") == 401
    assert _flower_status(stack.flower_url, path, "ferryman:wrong") == 401
    assert _flower_status(stack.flower_url, path, f"ferryman:{stack.token}") == 200


def _flower_status(url: str, path: str, user: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=LONGEST_SECONDS)
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    connection.request("GET", path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_flower_comes_back(stack: Stack, wait_for: WaitFor) -> None:
    flower = stack.children["flower"]
    before = flower.pid

    flower.kill()

    wait_until_new(flower, before, wait_for)


def test_redis_comes_back_without_its_directory_and_no_run_is_lost(
    stack: Stack, sync: Sync, upstream: Upstream, wait_for: WaitFor
) -> None:
    redis = stack.children["redis"]
    before = redis.pid
    gate = upstream.gate("/users", from_cursor="4")
    under_way = sync.start()
    gate.wait_for_request()

    redis.kill()
    rmtree(redis.spec.working_dir)
    begun = time.monotonic()
    accepted_meanwhile = sync.start()
    seconds = time.monotonic() - begun
    gate.open()

    assert seconds < 2
    wait_until_new(redis, before, wait_for)
    assert_exact(sync, under_way)
    assert_exact(sync, accepted_meanwhile)


def test_hanging_redis_costs_one_caller_of_many_its_timeout(stack: Stack, sync: Sync) -> None:
    redis = stack.children["redis"]
    redis.send(signal.SIGSTOP)
    try:
        seconds, run_ids = [], []
        for _ in range(12):
            begun = time.monotonic()
            run_ids.append(sync.start())
            seconds.append(time.monotonic() - begun)
        health = sync.api.get("/healthz")
    finally:
        redis.send(signal.SIGCONT)

    assert max(seconds) < 2
    # Two processes serve the API, and each finds out by itself.
    assert sum(second > 0.8 for second in seconds) <= 4
    assert (health["status"], health["redis"]) == ("degraded", "unreachable")
    for run_id in run_ids:
        assert_exact(sync, run_id)


def test_exhausted_connections_are_503_for_callers_and_only_time_for_runs(
    stack: Stack, sync: Sync, upstream: Upstream, wait_for: WaitFor
) -> None:
    gate = upstream.gate("/users", from_cursor="4")
    run_id = sync.start()
    gate.wait_for_request()

    with ExitStack() as hoard:
        _take_all_connections(stack, hoard)
        gate.open()
        statuses = [_status(sync) for _ in range(20)]

    assert 503 in statuses
    assert set(statuses) <= {200, 503}
    wait_for(lambda: _status(sync) == 200, what="the API again")
    assert_exact(sync, run_id)


def _status(sync: Sync) -> int | None:
    try:
        sync.api.get("/sync-job-run", {"limit": 1})
    except ApiError as error:
        return error.status
    return 200


def _take_all_connections(stack: Stack, hoard: ExitStack) -> None:
    """Take every free connection, and those of Ferryman's own sessions, which are ended."""
    keeper = hoard.enter_context(psycopg.connect(stack.database_url, autocommit=True))
    while True:
        try:
            hoard.enter_context(psycopg.connect(stack.database_url))
        except psycopg.OperationalError:
            row = keeper.execute(_END_SESSIONS).fetchone()
            if row == (0,):
                return
