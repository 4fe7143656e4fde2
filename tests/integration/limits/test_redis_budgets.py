"""Budgets in a real Redis: shared, emptied, frozen, gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from app.engine.errors import BrokerUnavailableError
from app.engine.limits.budget_state import BudgetLimits
from app.engine.limits.headers import RateLimitHeaders
from app.limits import redis_budgets, redis_requests
from app.limits.budget_desk import RedisBudgetDesk
from app.limits.redis_budgets import RedisBudgets
from app.sources.limiter.budget_exchange import StoreClock
from app.sources.limiter.gate import AccountGate
from app.sources.limiter.local_budgets import LocalBudgets
from tests.support.process_nodes import RedisContainer

T = TypeVar("T")


def with_store(url: str, work: Callable[[RedisBudgets], Awaitable[T]]) -> T:
    async def run() -> T:
        store = RedisBudgets(redis_budgets.build_client(url), LocalBudgets)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def test_only_the_first_of_two_changes_is_taken(redis_url: str) -> None:
    async def work(store: RedisBudgets) -> None:
        first = await store.swap("two", expected="", text="a")
        second = await store.swap("two", expected="", text="b")
        third = await store.swap("two", expected="a", text="c")

        assert (first.is_done, second.is_done, second.current, third.is_done) == (True, False, "a", True)
        assert abs(first.now - time.time()) < 5

    with_store(redis_url, work)


def test_desk_reads_changes_and_forgets_what_the_processes_share(redis_url: str) -> None:
    desk = RedisBudgetDesk(redis_requests.build_client(redis_url))

    async def work(store: RedisBudgets) -> None:
        nothing = desk.read("desk")
        await store.swap("desk", expected="", text="a")
        refused = desk.swap("desk", expected="x", text="b")
        taken = desk.swap("desk", expected="a", text="b")
        read = desk.read("desk")
        desk.forget("desk")
        after = await store.swap("desk", expected="b", text="c")

        assert (nothing.current, read.current, abs(read.now - time.time()) < 5) == ("", "b", True)
        assert (refused.is_done, refused.current, taken.is_done) == (False, "a", True)
        assert (after.is_done, after.current) == (False, "")

    with_store(redis_url, work)


def test_desk_says_that_budgets_can_not_be_reached(tmp_path: Path) -> None:
    desk = RedisBudgetDesk(redis_requests.build_client(f"redis+socket://{tmp_path}/nobody.sock"))

    with pytest.raises(BrokerUnavailableError, match="rate budgets can not be reached: ConnectionError"):
        desk.read("desk")


def test_a_change_costs_little(redis_url: str) -> None:
    async def work(store: RedisBudgets) -> float:
        texts = [str(number) * 400 for number in range(10)]
        await store.swap("cost", expected="", text=texts[0])
        begun = time.perf_counter()
        for number in range(200):
            await store.swap("cost", expected=texts[number % 10], text=texts[(number + 1) % 10])
        return (time.perf_counter() - begun) / 200

    assert with_store(redis_url, work) < 0.02


def test_an_emptied_redis_starts_anew(redis_url: str, container: RedisContainer) -> None:
    async def work(store: RedisBudgets) -> None:
        await store.swap("emptied", expected="", text="a")
        container.empty()
        await store.swap("emptied", expected="a", text="b")
        await asyncio.sleep(2.1)

        shared = await store.swap("emptied", expected="b", text="c")

        assert (shared.is_done, shared.current) == (False, "")

    with_store(redis_url, work)


@pytest.mark.parametrize("signal", ["SIGSTOP", "SIGKILL"])
def test_a_gate_goes_on_with_what_it_knew_while_redis_is_away(
    redis_url: str, container: RedisContainer, signal: str
) -> None:
    async def work(store: RedisBudgets) -> list[float]:
        limits = BudgetLimits(most=2, start=2)
        gate = AccountGate(
            signal, store=store, process="p", limits=limits, clock=StoreClock(asyncio.get_running_loop().time)
        )
        gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        container.kill(signal)
        waits = []
        for _ in range(20):
            passage = await gate.enter("things.list")
            waits.append(passage.waited_seconds)
            await asyncio.sleep(0.1)
            gate.leave_served(passage, RateLimitHeaders())
        await gate.close()
        return waits

    waits = with_store(redis_url, work)

    assert max(waits) < 1.5
    assert len([wait for wait in waits if wait > 0.1]) <= 2


def test_gates_of_two_processes_share_one_window(redis_url: str) -> None:
    async def work(store: RedisBudgets) -> int:
        other = RedisBudgets(redis_budgets.build_client(redis_url), LocalBudgets)
        time = asyncio.get_running_loop().time
        gates = [
            AccountGate("shared", store=one, process=name, limits=BudgetLimits(most=6), clock=StoreClock(time))
            for name, one in (("p", store), ("q", other))
        ]
        under_way, most = 0, 0

        async def ask(gate: AccountGate) -> None:
            nonlocal under_way, most
            for _ in range(10):
                passage = await gate.enter("things.list")
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(0.01)
                under_way -= 1
                gate.leave_served(passage, RateLimitHeaders())

        await asyncio.gather(*(ask(gate) for gate in gates for _ in range(8)))
        for gate in gates:
            await gate.close()
        await other.close()
        return most

    assert with_store(redis_url, work) == 6
