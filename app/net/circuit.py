"""A circuit breaker: callers do not wait for a broker that is known to be away."""

import threading
from collections.abc import Callable
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 5.0


class Circuit:
    """Admits every call while the broker works; after a failure, one call after each pause.

    Pauses double up to five seconds: a hanging broker delays one caller of many by its timeout.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pause = 0.0
        self._closed_until = 0.0

    def can_call(self, *, probe_seconds: float) -> bool:
        """Whether to make a call; a probe of a failing broker has so long before another one is admitted."""
        with self._lock:
            if not self._pause:
                return True
            now = self._monotonic()
            if now < self._closed_until:
                return False
            self._closed_until = now + probe_seconds
            return True

    def note(self, *, was_taken: bool) -> None:
        """Record the outcome of a call."""
        with self._lock:
            if was_taken:
                self._pause = 0.0
                return
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            self._closed_until = self._monotonic() + self._pause
