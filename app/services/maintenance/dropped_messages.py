"""How many messages a daemon has dropped, and why."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

_SECONDS_PER_LINE: Final = 1.0
_MOST_REASONS: Final = 50


class DroppedMessages:
    """Counts by reason; says of each when it is worth a line in the log. Called from several threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    def note(self, reason: str) -> int | None:
        """Count one; give how many there are by now when that was not told within the last second."""
        now = self._monotonic()
        with self._lock:
            known = reason if reason in self._counts or len(self._counts) < _MOST_REASONS else "other"
            self._counts[known] += 1
            if now - self._told_at.get(known, -_SECONDS_PER_LINE) < _SECONDS_PER_LINE:
                return None
            self._told_at[known] = now
            return self._counts[known]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many were dropped for each reason."""
        with self._lock:
            return dict(self._counts)
