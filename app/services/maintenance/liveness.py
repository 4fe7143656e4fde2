"""Whether a daemon still takes messages, and how many it has dropped.

It calls itself through its own queue, and waits for the call.
"""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

_SECONDS_PER_LINE: Final = 1.0
_MOST_REASONS: Final = 50


class ConsumerLiveness:
    """What a daemon knows about its own consuming; called from several threads.

    It is stalled when the broker took its calls, nothing came back for ``stalled_seconds``, and it had room for more
    work all the while. A broker that is away makes no daemon stalled: the time counts from the first call that it took.
    """

    def __init__(self, *, stalled_seconds: float, monotonic: Callable[[], float]) -> None:
        self._stalled_seconds = stalled_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._received_at: float | None = None
        self._called_at: float | None = None
        """When the first call was made that nothing answered yet."""

    def record_message(self) -> None:
        """Record that a message came, or that there is no room for one."""
        with self._lock:
            self._received_at = self._monotonic()
            self._called_at = None

    def record_call(self, *, was_taken: bool) -> None:
        """Record a call, and whether the broker took it."""
        with self._lock:
            if not was_taken:
                self._called_at = None
            elif self._called_at is None:
                self._called_at = self._monotonic()

    @property
    def silent_seconds(self) -> float | None:
        """How long ago the last message came; None before the first."""
        with self._lock:
            return None if self._received_at is None else self._monotonic() - self._received_at

    @property
    def is_stalled(self) -> bool:
        """Whether calls are taken by the broker and do not arrive."""
        with self._lock:
            return self._called_at is not None and self._monotonic() - self._called_at >= self._stalled_seconds


class DroppedMessages:
    """Counts by reason, and chooses which are worth a line in the log. Called from several threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._returned_at: dict[str, float] = {}

    def count(self, reason: str) -> int | None:
        """Count one; return how many there are when that was not returned within the last second."""
        now = self._monotonic()
        with self._lock:
            known = reason if reason in self._counts or len(self._counts) < _MOST_REASONS else "other"
            self._counts[known] += 1
            if now - self._returned_at.get(known, -_SECONDS_PER_LINE) < _SECONDS_PER_LINE:
                return None
            self._returned_at[known] = now
            return self._counts[known]

    @property
    def counts(self) -> dict[str, int]:
        """How many were dropped, by reason."""
        with self._lock:
            return dict(self._counts)
