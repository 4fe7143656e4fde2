"""What is killed, frozen or lost on the way costs a run time, and nothing else."""

import time
from collections.abc import Iterator, Mapping

import pytest

from app.broker import tasks
from app.engine.ids import new_id
from app.engine.objects.daemons import name_queue
from tests.support.process_nodes import DaemonNode, FerrymanSetup, RedisContainer
from tests.support.upstream import Gate, Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed

USERS = numbered("user", 10)
PUBLISH_SECONDS = 2.0


@pytest.fixture
def sync(node_workspace: Workspace, upstream: Upstream) -> Sync:
    """Five pages of users."""
    upstream.lists("/users", USERS, page_size=2)
    return node_workspace.sync(upstream.url, [listed("users")])


@pytest.fixture
def gate(sync: Sync, upstream: Upstream) -> Gate:
    """Holds the third page back."""
    return upstream.gate("/users", from_cursor="4")


@pytest.fixture
def run_id(sync: Sync, gate: Gate) -> str:
    """A run that has written two pages and waits for the third."""
    started = sync.start()
    gate.wait_for_request()
    return started


@pytest.fixture
def broker(celery_setup: FerrymanSetup) -> Iterator[RedisContainer]:
    container = celery_setup.broker.container
    yield container
    container.kill("SIGCONT")


def assert_exact(sync: Sync, run_id: str) -> None:
    run = sync.finished(run_id)
    books = run["resource_stats"]["users"]["list"]
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    assert sync.records("users") == {user["id"]: user for user in USERS}
    assert (books["fetched"], books["created"], books["pages"]) == (10, 10, 5)


def pages_asked(upstream: Upstream) -> list[str]:
    return [request.query.get("cursor", "0") for request in upstream.asked("/users")]


def test_run_goes_on_where_killed_daemons_left_it(
    sync: Sync, gate: Gate, run_id: str, daemons: list[DaemonNode], upstream: Upstream
) -> None:
    for daemon in daemons:
        daemon.kill()
    gate.open()
    daemons[0].container.start()

    assert_exact(sync, run_id)
    # Page 4 is asked while page 2 is written: what was not committed by the kill is asked again.
    assert pages_asked(upstream) in (["0", "2", "4", "4", "6", "8"], ["0", "2", "4", "2", "4", "6", "8"])


def test_terminated_daemons_hand_their_work_over_without_an_error(
    sync: Sync, gate: Gate, run_id: str, daemons: list[DaemonNode], upstream: Upstream
) -> None:
    for daemon in daemons:
        daemon.kill("SIGTERM")
    for daemon in daemons:
        daemon.container.wait_for_end()
    assert sync.status(run_id) == "running"
    gate.open()
    daemons[0].container.start()

    assert_exact(sync, run_id)
    assert pages_asked(upstream) == ["0", "2", "4", "4", "6", "8"]


def test_api_accepts_runs_while_the_broker_is_frozen_and_they_start_when_it_thaws(
    sync: Sync, broker: RedisContainer
) -> None:
    broker.kill("SIGSTOP")
    begun = time.monotonic()
    run_id = sync.start()
    seconds = time.monotonic() - begun
    status = sync.status(run_id)
    broker.kill("SIGCONT")

    assert status == "created"
    assert seconds < PUBLISH_SECONDS
    assert_exact(sync, run_id)


def test_emptied_broker_loses_no_run(sync: Sync, gate: Gate, run_id: str, broker: RedisContainer) -> None:
    broker.empty()
    accepted_meanwhile = sync.start()
    gate.open()

    assert_exact(sync, run_id)
    assert sync.finished(accepted_meanwhile)["status"] == "completed"


def test_repeated_messages_start_a_run_once(
    sync: Sync, gate: Gate, run_id: str, celery_setup: FerrymanSetup, upstream: Upstream
) -> None:
    for _ in range(5):
        celery_setup.app.send_task(tasks.START_RUN, args=[run_id], queue=name_queue("default"))
    gate.open()

    assert_exact(sync, run_id)
    assert pages_asked(upstream) == ["0", "2", "4", "6", "8"]


def test_start_that_a_stranger_revokes_says_nothing_of_a_run_under_way(
    sync: Sync, gate: Gate, run_id: str, celery_setup: FerrymanSetup
) -> None:
    task_id = new_id()
    celery_setup.app.control.revoke(task_id)

    celery_setup.app.send_task(tasks.START_RUN, args=[run_id], queue=name_queue("default"), task_id=task_id)
    gate.open()

    assert_exact(sync, run_id)


SENSELESS: Mapping[str, tuple[str, list[object]]] = {
    "no-such-run": (tasks.START_RUN, [new_id()]),
    "no-uuid": (tasks.START_RUN, ["x"]),
    "no-args": (tasks.SYNC_UNIT, []),
    "no-such-unit": (tasks.SYNC_UNIT, [new_id(), new_id()]),
    "no-such-task": ("ferryman.start_run.v99", ["x"]),
}


def test_senseless_messages_hurt_no_daemon(sync: Sync, celery_setup: FerrymanSetup) -> None:
    for task, args in SENSELESS.values():
        celery_setup.app.send_task(task, args=args, queue=name_queue("default"))

    run_id = sync.start()

    assert_exact(sync, run_id)
    assert all(daemon.container.status == "running" for daemon in celery_setup.worker_cluster)
