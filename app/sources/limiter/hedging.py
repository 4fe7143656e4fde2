"""Requests that hang: a read whose answer is far later than its account's usually are is sent a second time.

Some requests of most APIs hang in a balancer or a worker that died. The answer to a second request, over another
connection, mostly comes at once; whichever comes first counts, the other one is dropped. Few requests are sent twice,
so that an upstream that is slow as a whole gets no more of them (J. Dean, L. Barroso: The Tail at Scale, 2013).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.engine.limits import constants

T = TypeVar("T")


@dataclass(slots=True)
class Hedging:
    """One account's latencies in this process, and how many of its requests were sent twice."""

    sent: int = 0
    asked_again: int = 0
    _latencies: dict[str, deque[float]] = field(default_factory=dict)

    def record_answer(self, endpoint: str, seconds: float) -> None:
        """Record how long an answer took."""
        self.sent += 1
        self._latencies.setdefault(endpoint, deque(maxlen=constants.HEDGING_REMEMBERED)).append(seconds)

    def late_seconds(self, endpoint: str) -> float | None:
        """Return after how long an answer is late; None while too few are known."""
        latencies = self._latencies.get(endpoint, ())
        if len(latencies) < constants.HEDGING_ANSWERS:
            return None
        usual = sorted(latencies)[int(len(latencies) * constants.HEDGING_QUANTILE)]
        return max(constants.HEDGING_SHORTEST_SECONDS, constants.HEDGING_FACTOR * usual)

    def may_ask_again(self, most_percent: float) -> bool:
        """Whether with one more there are still at most so many of a hundred requests that were sent twice."""
        return self.asked_again + 1 <= most_percent / 100 * self.sent


async def await_first_answer(
    ask: Callable[[], Awaitable[T]],
    *,
    late_seconds: float,
    may_ask_again: Callable[[], bool],
    drop: Callable[[T], object],
) -> tuple[T, bool]:
    """Return the first answer to one or two requests, and whether there were two; raise when none is answered.

    ``may_ask_again`` is asked as long as there is no answer. ``drop`` gets an answer that came too, and is not the
    first.
    """
    asked: set[asyncio.Future[T]] = {asyncio.ensure_future(ask())}
    try:
        done, _ = await asyncio.wait(asked, timeout=late_seconds)
        while not done and not may_ask_again():
            # Room there is soon: what waits for this answer in its turn requests no more.
            done, _ = await asyncio.wait(asked, timeout=late_seconds / 4)
        if done:
            return await asked.pop(), False
        asked.add(asyncio.ensure_future(ask()))
        pending = set(asked)
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            answered = [one for one in done if one.exception() is None]
            if answered or not pending:
                first = (answered or list(done))[0]
                asked.discard(first)
                return first.result(), True
    finally:
        for one in asked:
            one.cancel()
            one.add_done_callback(lambda other: _drop(other, drop))


def _drop(other: "asyncio.Future[T]", drop: Callable[[T], object]) -> None:
    if not other.cancelled() and other.exception() is None:
        drop(other.result())
