"""What this process exchanges with the shared budget of one account: what it saw, for its part."""

from collections.abc import Callable
from typing import Final

from app.engine import budget as budgets
from app.engine import budget_state
from app.engine.budget_state import BudgetLimits, Grant, Report
from app.services.ports import BudgetStore

_ATTEMPTS: Final = 4
_NEVER_THERE: Final = "?"
"""Expected, it makes a swap a mere question for the time and the text."""


class BudgetExchange:
    """Compares and swaps the budget's text in the store, and knows the store's clock from it."""

    def __init__(
        self, account_id: str, *, store: BudgetStore, process: str, limits: BudgetLimits, time: Callable[[], float]
    ) -> None:
        self._account_id = account_id
        self._store = store
        self._process = process
        self._limits = limits
        self._time = time
        self._knows_time = False
        self._text = ""
        self.offset = 0.0
        """Seconds by which the clock that all processes share is ahead of this one's."""

    async def learn_time(self) -> None:
        """Ask the store for its clock, unless it is known by now."""
        if not self._knows_time:
            read = await self._store.swap(self._account_id, expected=_NEVER_THERE, text="")
            self._note(read.now, read.current)
            self._knows_time = True

    async def swap(self, report: Report) -> Grant:
        """Hand a report in, and give what the budget grants for it.

        Who is beaten four times in a row takes the part that was worked out last, and reports again soon.
        """
        for _ in range(_ATTEMPTS):
            known = budget_state.from_text(self._text) or budget_state.fresh(self._limits)
            now = self._time() + self.offset
            changed, grant = budgets.exchange(known, report, process=self._process, now=now, limits=self._limits)
            text = budget_state.to_text(changed)
            swapped = await self._store.swap(self._account_id, expected=self._text, text=text)
            self._note(swapped.now, text if swapped.is_done else swapped.current)
            if swapped.is_done:
                break
        return grant

    def _note(self, now: float, text: str) -> None:
        self.offset, self._text = now - self._time(), text
