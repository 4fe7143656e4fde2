"""A deploy: daemons are told to go, gently, in the middle of work that takes its time, and nothing is lost by it."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import pytest

from app.client import ApiClient
from app.stack.stack import Stack, StackOptions
from tests.support.ferryman import IMPATIENT, new_workspace
from tests.support.http_server import Response
from tests.support.patience import WaitFor
from tests.support.process_nodes import DaemonNode, fresh_daemon
from tests.support.receiver import Delivery, Receiver
from tests.support.server_directory import server_directory
from tests.support.servers import PostgresServer
from tests.support.small_ferryman import fresh_environment, running_api, running_broker
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, child_of, listed

LEAVES_WITHIN_SECONDS: Final = 10.0
GROUP: Final = "deployed"
USERS: Final = numbered("user", 10)
LEASES: Final = "select count(*) from unit where run_id = %s and (lease_expires_at is not null or status = 'leased')"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Path]:
    """A directory for a Ferryman without the daemons of other tests, which would take over from those that leave."""
    with server_directory("ferryman-deploy-") as place:
        yield place


@pytest.fixture(scope="module")
def environment(postgres_server: PostgresServer, deployed: Path) -> Iterator[Mapping[str, str]]:
    """As in production: a slice waits five seconds for answers when its daemon has to go."""
    with running_broker(deployed) as broker, fresh_environment(postgres_server, broker) as given:
        yield {name: value for name, value in given.items() if name != "FERRYMAN_STOP_GRACE_SECONDS"}


@pytest.fixture(scope="module")
def api_url(environment: Mapping[str, str], deployed: Path) -> Iterator[str]:
    with running_api(environment, deployed) as url:
        yield url


@pytest.fixture
def daemon(environment: Mapping[str, str], tmp_path: Path) -> Iterator[DaemonNode]:
    node = fresh_daemon(environment, tmp_path, group_key=GROUP)
    node.container.ready()
    yield node
    node.teardown()


@pytest.fixture
def place(environment: Mapping[str, str], api_url: str) -> Workspace:
    return new_workspace(environment["DATABASE_URL"], api_url)


def leave(daemon: DaemonNode) -> float:
    """Tell a daemon to go; give how long it took."""
    begun = time.monotonic()
    daemon.kill("SIGTERM")
    daemon.container.wait_for_end(60)
    return time.monotonic() - begun


def leases(environment: Mapping[str, str], run_id: str) -> int:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute(LEASES, [run_id]).fetchone()
    return int(row[0]) if row else 0


def test_daemon_leaves_an_upstream_that_takes_too_long(
    daemon: DaemonNode, environment: Mapping[str, str], place: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/users", USERS, page_size=2)
    gate = upstream.gate("/users", from_cursor="4")
    sync = place.sync(upstream.url, [listed("users")])
    run_id = sync.start(daemon_group_key=GROUP)
    gate.wait_for_request()

    seconds = leave(daemon)
    left = leases(environment, run_id)
    gate.open()
    daemon.container.start()
    run = sync.finished(run_id)

    assert seconds < LEAVES_WITHIN_SECONDS
    assert left == 0
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    asked = [request.query.get("cursor", "0") for request in upstream.asked("/users")]
    assert asked == ["0", "2", "4", "4", "6", "8"]


def test_daemon_leaves_a_receiver_that_takes_too_long(
    daemon: DaemonNode, environment: Mapping[str, str], place: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    held, opened = threading.Event(), threading.Event()

    def answer(delivery: Delivery) -> Response:
        if delivery.event == "sync_job_run:record" and not opened.is_set():
            held.set()
            opened.wait(25)
        return Response()

    receiver.answer = answer
    upstream.lists("/users", USERS, page_size=2)
    sync = place.sync(upstream.url, [listed("users")])
    run_id = sync.start(webhook_id=place.webhook(receiver))
    assert held.wait(30)

    seconds = leave(daemon)
    left = leases(environment, run_id)
    opened.set()
    daemon.container.start()
    run = sync.finished(run_id)

    assert seconds < LEAVES_WITHIN_SECONDS
    assert left == 0
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    assert {record["id"] for record in receiver.records("users")} == {user["id"] for user in USERS}


def test_rolling_restart_of_all_daemons_costs_no_error_and_few_pages(
    daemon: DaemonNode,
    environment: Mapping[str, str],
    place: Workspace,
    upstream: Upstream,
    tmp_path: Path,
    wait_for: WaitFor,
) -> None:
    parents = numbered("user", 30)
    children = {parent["id"]: numbered(f"{parent['id']}-child", 3) for parent in parents}
    upstream.lists("/users", parents, page_size=2)
    upstream.lists_by("/children", "parent", children)
    _slow_down(upstream, "/children", seconds=0.1)
    sync = place.sync(upstream.url, [listed("users"), child_of("users", "children")])
    second = fresh_daemon(environment, tmp_path, group_key=GROUP)
    run_id = sync.start(daemon_group_key=GROUP)
    wait_for(lambda: len(upstream.asked("/children")) > 3, what="work under way")

    second.container.ready()
    try:
        seconds = []
        for node in (daemon, second):
            seconds.append(leave(node))
            node.container.start()
            node.container.ready()
        run = sync.finished(run_id)
    finally:
        second.teardown()

    assert max(seconds) < LEAVES_WITHIN_SECONDS
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    assert len(sync.records("users")) == 30
    assert len(sync.records("children")) == 90
    # A page of users, and what was under way of the children, for each daemon that left.
    assert len(upstream.asked("/users")) <= 15 + 2
    assert len(upstream.asked("/children")) <= 30 + 2 * 16


def _slow_down(upstream: Upstream, path: str, *, seconds: float) -> None:
    answer = upstream._answers[path]

    def slowly(request: object) -> Response:
        time.sleep(seconds)
        return answer(request)  # type: ignore[arg-type]

    upstream.answers(path, slowly)


def test_end_of_ferryman_up_in_mid_run_is_quick_and_the_next_start_goes_on(tmp_path: Path, upstream: Upstream) -> None:
    upstream.lists("/users", USERS, page_size=2)
    gate = upstream.gate("/users", from_cursor="4")
    settings = {**IMPATIENT, "FERRYMAN_STOP_GRACE_SECONDS": "5"}
    options = StackOptions(data_dir=tmp_path / "data", port=0, daemons=1, flower=False, environment=settings)
    with Stack(options, report=print) as stack:
        place = Workspace(ApiClient(stack.api_url, stack.token))
        sync = place.sync(upstream.url, [listed("users")])
        run_id = sync.start()
        gate.wait_for_request()
        begun = time.monotonic()
    seconds = time.monotonic() - begun
    gate.open()

    with Stack(options, report=print) as again:
        run = replace(sync, api=ApiClient(again.api_url, again.token)).finished(run_id)

    assert seconds < LEAVES_WITHIN_SECONDS + 5
    assert (run["status"], run["resource_stats"]["users"]["list"]["created"]) == ("completed", len(USERS))
