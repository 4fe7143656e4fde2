"""Counts of requests in a real Redis: shared by processes, and done without while it is frozen or gone."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.limits import redis_requests
from app.limits.local_requests import LocalRequests
from app.limits.redis_requests import RedisRequests
from app.net.circuit import Circuit
from app.services.calls.request_limits import RequestLimits
from tests.support.process_nodes import RedisContainer


@pytest.fixture(scope="module")
def container() -> Iterator[RedisContainer]:
    with tempfile.TemporaryDirectory(prefix="ferryman-requests-") as name:
        made = RedisContainer(Path(name) / "redis")
        made.start()
        made.ready()
        yield made
        made.kill("SIGCONT")
        made.teardown()


def counts_at(url: str, *, window_seconds: float = 10.0) -> RedisRequests:
    return RedisRequests(
        redis_requests.build_client(url),
        window_seconds=window_seconds,
        breaker=Circuit(time.monotonic),
        meanwhile=LocalRequests(window_seconds=window_seconds, monotonic=time.monotonic).take,
    )


def limits_at(url: str, *, window_seconds: float = 10.0) -> RequestLimits:
    return RequestLimits(
        counts_at(url, window_seconds=window_seconds).take,
        limit=20,
        window_seconds=window_seconds,
        monotonic=time.monotonic,
    )


def admitted(limits: RequestLimits, token_id: str, times: int) -> int:
    return sum(allowance.is_admitted for _ in range(times) if (allowance := limits.ask(token_id)))


def test_a_window_is_shared_and_ends(container: RedisContainer) -> None:
    first, second = (counts_at(container.celeryconfig["url"], window_seconds=0.4) for _ in range(2))

    windows = [first.take({"shared": 3})["shared"], second.take({"shared": 4})["shared"]]
    time.sleep(0.5)
    later = second.take({"shared": 1})["shared"]

    assert [window.used for window in windows] == [3, 7]
    assert 0 < windows[1].left_seconds <= windows[0].left_seconds <= 0.4
    assert later.used == 1


def test_several_windows_are_taken_of_at_once(container: RedisContainer) -> None:
    counts = counts_at(container.celeryconfig["url"])
    counts.take({"b": 2})

    taken = counts.take({"a": 3, "b": 4})

    assert {key: window.used for key, window in taken.items()} == {"a": 3, "b": 6}
    assert all(0 < window.left_seconds <= 10 for window in taken.values())


def test_two_processes_share_one_limit(container: RedisContainer) -> None:
    processes = [limits_at(container.celeryconfig["url"]) for _ in range(2)]

    passed = [admitted(processes[number % 2], "two", 1) for number in range(60)]

    assert 19 <= sum(passed) <= 20


def test_requests_go_on_without_redis_and_are_counted_together_when_it_is_back(container: RedisContainer) -> None:
    limits = limits_at(container.celeryconfig["url"], window_seconds=2.0)
    assert admitted(limits, "away", 5) == 5

    container.kill("SIGSTOP")
    begun = time.monotonic()
    meanwhile = admitted(limits, "frozen", 20)
    took = time.monotonic() - begun
    container.kill("SIGCONT")
    deadline, other = time.monotonic() + 10, counts_at(container.celeryconfig["url"])
    while other.take({"back": 0})["back"].used == 0 and time.monotonic() < deadline:
        limits.ask("back")
        time.sleep(0.1)

    assert meanwhile == 20
    assert took < 1.0
    assert other.take({"back": 0})["back"].used > 0
