"""What this process exchanges with the shared budget of one account: what it saw, for its part."""

import math
from collections.abc import Callable
from typing import Final

from app.engine.limits import budget as budgets
from app.engine.limits import budget_state, constants
from app.engine.limits.budget_state import BudgetLimits, Grant, Report
from app.services.ports import BudgetStore

_NEVER_THERE: Final = "?"
"""Expected, it makes a swap a mere question for the time and the text."""


class StoreClock:
    """This process's clock, and how far ahead of it the store's was at the last exchange of any account."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self.offset = 0.0
        """Seconds; 0 until the store has told its time."""
        self._noted_at = -math.inf

    @property
    def is_known(self) -> bool:
        """Whether the store has told its time of late."""
        return self.time() < self._noted_at + constants.CLOCK_KEPT_SECONDS

    def note(self, now: float) -> None:
        """Note what the store's clock shows now."""
        self._noted_at = self.time()
        self.offset = now - self._noted_at


class BudgetExchange:
    """Compares and swaps the budget's text in the store, and learns the store's clock from it."""

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
        """Know the store's clock: from another account's exchange of late, else by asking."""
        if self._knows_time:
            return
        if self._clock.is_known:
            self.offset = self._clock.offset
        else:
            read = await self._store.swap(self._account_id, expected=_NEVER_THERE, text="")
            self._note(read.now, read.current)
        self._knows_time = True

    async def swap(self, report: Report) -> Grant:
        """Hand a report in, and give what the budget grants for it.

        Who is beaten four times in a row takes the part that was worked out last, and reports again soon.
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
        self._clock.note(now)
        self.offset, self._text = self._clock.offset, text
