"""The store's clock, which every exchange tells: whoever comes next need not ask for it."""

import asyncio
from dataclasses import dataclass, field

from app.engine.limits.budget_state import BudgetLimits
from app.services.ports import Swapped
from app.sources.limiter.budget_exchange import BudgetExchange, StoreClock

AHEAD = 1000.0


@dataclass
class Store:
    """A store that only tells the time, and how often it was asked."""

    now: float = 0.0
    ahead: float = AHEAD
    asked: list[str] = field(default_factory=list)

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        self.asked.append(account_id)
        return Swapped(is_done=False, current="", now=self.now + self.ahead)

    async def close(self) -> None:
        pass


def exchange(account_id: str, store: Store, clock: StoreClock) -> BudgetExchange:
    return BudgetExchange(account_id, store=store, process="p", limits=BudgetLimits(most=2), clock=clock)


def test_clock_is_learnt_once_for_all_accounts_and_anew_after_a_minute() -> None:
    store = Store()
    clock = StoreClock(lambda: store.now)
    one, other, late = (exchange(name, store, clock) for name in ("one", "other", "late"))

    asyncio.run(one.learn_time())
    store.now = 59.0
    asyncio.run(other.learn_time())
    assert (store.asked, one.offset, other.offset) == (["one"], AHEAD, AHEAD)

    store.now = 60.0
    asyncio.run(late.learn_time())
    asyncio.run(one.learn_time())
    assert store.asked == ["one", "late"]


def test_another_store_s_clock_does_not_move_what_was_granted_by_the_one_before() -> None:
    """Else an account would seem closed until a moment of a clock that nobody has any more."""
    store = Store()
    clock = StoreClock(lambda: store.now)
    one, other = (exchange(name, store, clock) for name in ("one", "other"))
    asyncio.run(one.learn_time())

    store.ahead = -AHEAD
    store.now = 61.0
    asyncio.run(other.learn_time())

    assert (one.offset, other.offset) == (AHEAD, -AHEAD)
