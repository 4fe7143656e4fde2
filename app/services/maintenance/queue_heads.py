"""Distinguish a message that is lost from one that waits: by how far its queue has come.

Messages of a queue are taken in the order in which they were sent. What was sent before the message that is taken next
is not in the queue any more: a daemon has it, which works on it soon, or it is lost.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.services.maintenance.ports import LostBefore
from app.services.ports import QueueState

_MARGIN: Final = timedelta(seconds=10)
"""How far the clocks of daemons and of Postgres may differ, and how long a message may take to the broker."""
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class QueueHeads:
    """What is known of how far queues have come."""

    def __init__(
        self,
        look_at: Callable[[Sequence[str]], Mapping[str, QueueState]],
        *,
        settle_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``settle_seconds``: how long a daemon may hold a message before it comes to it."""
        self._look_at = look_at
        self._settle_seconds = settle_seconds
        self._monotonic = monotonic
        self._seen: dict[str, list[tuple[float, datetime]]] = {}
        """What was taken next, and when that was seen."""
        self._passed: dict[str, datetime] = {}
        """What was taken next so long ago that its daemon has come to it."""

    def find_lost(self, queues: Sequence[str]) -> Mapping[str, LostBefore]:
        """Look at queues; raise BrokerUnavailableError, when nothing can be dispatched anyway."""
        found = self._look_at(queues) if queues else {}
        return {queue: self._judge(queue, state) for queue, state in found.items()}

    def _judge(self, queue: str, state: QueueState) -> LostBefore:
        if state.is_empty or not state.is_timed:
            return LostBefore(at=_EVER, is_empty=state.is_empty)
        now, seen = self._monotonic(), self._seen.setdefault(queue, [])
        if state.next_sent_at is not None:
            seen.append((now, state.next_sent_at))
        while seen and seen[0][0] <= now - self._settle_seconds:
            self._passed[queue] = max(self._passed.get(queue, _NEVER), seen.pop(0)[1] - _MARGIN)
        return LostBefore(at=self._passed.get(queue, _NEVER), is_empty=False)
