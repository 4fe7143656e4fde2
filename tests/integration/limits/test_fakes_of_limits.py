"""What keeps budgets and counts requests does the same in Redis, in one process, and in unit tests."""

from collections.abc import Callable

import pytest

from app.limits import redis_requests
from app.limits.budget_desk import RedisBudgetDesk
from app.limits.local_requests import LocalRequests
from app.limits.redis_requests import RedisRequests
from app.net.circuit import Circuit
from app.services.accounts.ports import BudgetDesk
from app.services.calls.ports import TakeRequests
from tests.unit.services.accounts.test_account_budgets import FakeDesk

SECONDS = 10.0


@pytest.fixture(params=["fake", "redis"])
def desk(request: pytest.FixtureRequest) -> BudgetDesk:
    if request.param == "fake":
        return FakeDesk()
    client = redis_requests.build_client(request.getfixturevalue("redis_url"))
    client.flushall()
    return RedisBudgetDesk(client)


def local(_redis_url: Callable[[], str]) -> TakeRequests:
    return LocalRequests(window_seconds=SECONDS, monotonic=lambda: 0.0).take


def shared(redis_url: Callable[[], str]) -> TakeRequests:
    client = redis_requests.build_client(redis_url())
    client.flushall()
    meanwhile = local(redis_url)
    return RedisRequests(client, window_seconds=SECONDS, breaker=Circuit(lambda: 0.0), meanwhile=meanwhile).take


@pytest.fixture(params=[local, shared])
def take(request: pytest.FixtureRequest) -> TakeRequests:
    made: TakeRequests = request.param(lambda: str(request.getfixturevalue("redis_url")))
    return made


def test_budget_is_replaced_where_it_is_as_expected(desk: BudgetDesk) -> None:
    assert desk.read("a").current == ""
    assert desk.swap("a", expected="", text="one").is_done

    refused = desk.swap("a", expected="", text="two")

    assert (refused.is_done, refused.current) == (False, "one")
    assert desk.swap("a", expected="one", text="two").is_done
    assert (desk.read("a").current, desk.read("b").current) == ("two", "")


def test_budget_is_forgotten(desk: BudgetDesk) -> None:
    desk.swap("a", expected="", text="one")

    desk.forget("a")
    desk.forget("b")

    assert desk.read("a").current == ""


def test_requests_of_each_key_add_up(take: TakeRequests) -> None:
    take({"a": 2})

    windows = take({"a": 3, "b": 1})

    assert {key: window.used for key, window in windows.items()} == {"a": 5, "b": 1}
    assert all(0 < window.left_seconds <= SECONDS for window in windows.values())
