"""Rate budgets in this process's memory: for a process that is alone, and while Redis is away."""

import time
from collections.abc import Callable

from app.engine.limits import constants
from app.services.ports import Swapped


class LocalBudgets:
    """Budgets of this process alone."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._texts: dict[str, str] = {}

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Replace the expected text by another; an account without a text has the expected one."""
        current = self._texts.get(account_id, expected)
        is_done = current == expected
        if is_done:
            if len(self._texts) >= constants.LOCAL_BUDGETS:
                self._texts.pop(next(iter(self._texts)))
            self._texts[account_id] = text
        return Swapped(is_done=is_done, current="" if is_done else current, now=self._now())

    async def close(self) -> None:
        """Nothing is open."""
