"""The exchange between this process and the shared budget of one account: a report for a grant."""

import math
from collections.abc import Callable
from typing import Final

from app.engine.limits import budget as budgets
from app.engine.limits import budget_state, constants
from app.engine.limits.budget_state import BudgetLimits, Grant, Report
from app.services.ports import BudgetStore

_NEVER_THERE: Final = "?"
"""No budget has this text: a swap that expects it only reads the time and the text."""


class StoreClock:
    """This process's clock, and how far ahead of it the store's was at the last exchange of any account."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self.offset = 0.0
        """Seconds; 0 until the store's time is known."""
        self._noted_at = -math.inf

    @property
    def is_known(self) -> bool:
        """Whether the store's time was read lately."""
        return self.time() < self._noted_at + constants.CLOCK_KEPT_SECONDS

    def record(self, now: float) -> None:
        """Record the present time of the store's clock."""
        self._noted_at = self.time()
        self.offset = now - self._noted_at


class BudgetExchange:
    """Compares and swaps the budget's text in the store, and reads the store's clock with it."""

    def __init__(
        self, account_id: str, *, store: BudgetStore, process: str, limits: BudgetLimits, clock: StoreClock
    ) -> None:
        self._account_id = account_id
        self._store = store
        self._process = process
        self._limits = limits
        self._clock = clock
        self._knows_time = False
        self._text = ""
        self.offset = 0.0
        """Seconds by which the clock that all processes share is ahead of this one's, as of the last exchange.

        Not the other accounts' latest: what was granted here was granted by the clock of that exchange.
        """

    async def learn_time(self) -> None:
        """Learn the store's clock: from a recent exchange of another account, else by a query."""
        if self._knows_time:
            return
        if self._clock.is_known:
            self.offset = self._clock.offset
        else:
            read = await self._store.swap(self._account_id, expected=_NEVER_THERE, text="")
            self._note(read.now, read.current)
        self._knows_time = True

    async def swap(self, report: Report) -> Grant:
        """Report, and return the budget's grant.

        After four lost races in a row the grant that was computed last holds, and the next report follows soon.
        """
        for _ in range(constants.SWAP_ATTEMPTS):
            known = budget_state.read_budget(self._text) or budget_state.new_budget(self._limits)
            now = self._clock.time() + self.offset
            changed, grant = budgets.exchange(known, report, process=self._process, now=now, limits=self._limits)
            text = budget_state.write_budget(changed)
            swapped = await self._store.swap(self._account_id, expected=self._text, text=text)
            self._note(swapped.now, text if swapped.is_done else swapped.current)
            if swapped.is_done:
                break
        return grant

    def _note(self, now: float, text: str) -> None:
        self._clock.record(now)
        self.offset, self._text = self._clock.offset, text
