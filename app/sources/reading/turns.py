"""A few at a time, in turn over the accounts: each waiting account has one turn before any has a second."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """The turns of one event loop."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, account_id: str) -> AsyncIterator[None]:
        """Wait for a turn of an account, and hold it."""
        await self.take(account_id)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, account_id: str) -> None:
        """Wait for a turn of an account, which ``give_back`` ends."""
        if self._free:
            self._free -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """End a turn: the next is that of the account which has waited longest since its last one."""
        while self._waiting:
            account_id = next(iter(self._waiting))
            line = self._waiting.pop(account_id)
            while line:
                mine = line.popleft()
                if mine.done():
                    continue  # Cancelled: it does not cost its account a turn.
                if line:
                    self._waiting[account_id] = line
                mine.set_result(None)
                return
        self._free += 1
