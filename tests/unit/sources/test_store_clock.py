"""The store's clock, which every exchange tells: whoever comes next need not ask for it."""

import asyncio
from dataclasses import dataclass, field

from app.engine.budget_state import BudgetLimits
from app.services.ports import Swapped
from app.sources.budget_exchange import BudgetExchange, StoreClock

AHEAD = 1000.0


@dataclass
class Store:
    """A store that only tells the time, and how often it was asked."""

    now: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        self.asked.append(account_id)
        return Swapped(is_done=False, current="", now=self.now + AHEAD)

    async def close(self) -> None:
        pass


def test_clock_is_learnt_once_for_all_accounts_and_anew_after_a_minute() -> None:
    store = Store()
    clock = StoreClock(lambda: store.now)
    one, other = (
        BudgetExchange(name, store=store, process="p", limits=BudgetLimits(most=2), clock=clock)
        for name in ("one", "other")
    )

    asyncio.run(one.learn_time())
    store.now = 59.0
    asyncio.run(other.learn_time())
    assert (store.asked, clock.offset) == (["one"], AHEAD)

    store.now = 60.0
    asyncio.run(other.learn_time())
    assert store.asked == ["one", "other"]
