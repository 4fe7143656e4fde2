"""A budget of memory for all answers of a process: beyond it an answer waits before it grows.

An answer is counted as it grows: its unpacked bytes, and ``PER_DECODED_BYTE`` times as much once they are decoded. The
first ``FREE_BYTES`` of each never wait, so that small answers are served beside any others. The answer that exceeded
them first never waits either, and a part of the budget is reserved for it: it completes, and releases its memory. The
others wait in order.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

FREE_BYTES: Final = 1024 * 1024
PER_DECODED_BYTE: Final = 8
"""The memory of a value for each byte of its JSON: some two to twenty."""


class AnswerMemory:
    """The budget of one event loop."""

    def __init__(self, limit_bytes: int, *, kept_bytes: int) -> None:
        """``kept_bytes`` of the limit are for the first answer alone."""
        self._shared_bytes = limit_bytes - kept_bytes
        self._holders: dict[HeldMemory, None] = {}
        """The answers beyond their free bytes, in the order in which they exceeded them."""
        self._waiting: dict[HeldMemory, tuple[int, asyncio.Future[None]]] = {}
        self.held_bytes = 0
        self.peak_bytes = 0

    def hold(self, deadline: asyncio.Timeout | None = None) -> "HeldMemory":
        """Return the memory of a new answer, whose deadline is extended while it waits."""
        return HeldMemory(self, deadline)

    async def take(self, held: "HeldMemory", added: int) -> None:
        """Reserve more for an answer, or wait for it."""
        self._holders.setdefault(held)
        is_next = not self._waiting or held is self._first
        if is_next and self._may_take(held, added):
            self._give(held, added)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[held] = added, turn
        try:
            await turn
        finally:
            self._waiting.pop(held, None)

    def give_back(self, held: "HeldMemory") -> None:
        """Release all memory of an answer, and admit the ones that wait."""
        if held in self._holders:
            del self._holders[held]
            self.held_bytes -= held.held_bytes
            self._admit_waiting()

    def _admit_waiting(self) -> None:
        first = self._first
        waiting = [first, *self._waiting] if first in self._waiting else list(self._waiting)
        for held in dict.fromkeys(waiting):
            added, turn = self._waiting[held]
            if not self._may_take(held, added):
                return
            del self._waiting[held]
            if not turn.done():
                self._give(held, added)
                turn.set_result(None)

    def _may_take(self, held: "HeldMemory", added: int) -> bool:
        first = self._first
        if held is first or first is None:
            return True
        return self.held_bytes - first.held_bytes + added <= self._shared_bytes

    def _give(self, held: "HeldMemory", added: int) -> None:
        held.held_bytes += added
        self.held_bytes += added
        self.peak_bytes = max(self.peak_bytes, self.held_bytes)

    @property
    def _first(self) -> "HeldMemory | None":
        return next(iter(self._holders), None)


class HeldMemory:
    """The memory of one answer; a context manager that releases it."""

    def __init__(self, memory: AnswerMemory | None = None, deadline: asyncio.Timeout | None = None) -> None:
        """Without a budget nothing is counted."""
        self._memory = memory
        self._deadline = deadline
        self.held_bytes = 0
        self.waited_seconds = 0.0

    async def grow_to(self, size_bytes: int) -> None:
        """Reserve so much in all, or wait for it."""
        if self._memory is None or size_bytes <= max(FREE_BYTES, self.held_bytes):
            return
        time = asyncio.get_running_loop().time
        begun, due = time(), self._deadline.when() if self._deadline else None
        if self._deadline and due is not None:
            self._deadline.reschedule(None)
        try:
            await self._memory.take(self, size_bytes - self.held_bytes)
        finally:
            waited = time() - begun
            self.waited_seconds += waited
            if self._deadline and due is not None:
                self._deadline.reschedule(due + waited)

    async def grow_by(self, added_bytes: int) -> None:
        """Reserve so much more."""
        await self.grow_to(self.held_bytes + added_bytes)

    def pass_deadline(self) -> None:
        """Drop the deadline, which was met."""
        self._deadline = None

    def release(self) -> None:
        """Release all of it."""
        if self._memory is not None:
            self._memory.give_back(self)
            self.held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
