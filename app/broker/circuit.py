"""Spare callers the wait for a broker that is known to be away."""

import threading
from collections.abc import Callable
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 5.0


class Circuit:
    """Lets everybody through while all is well; after a failure, one caller after each pause to find out.

    Pauses double up to five seconds: a hanging broker costs one caller of many its timeout, now and then.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pause = 0.0
        self._closed_until = 0.0

    def lets_through(self, *, probe_seconds: float) -> bool:
        """Whether to try; who probes an ailing broker has so long for it before another one may."""
        with self._lock:
            if not self._pause:
                return True
            now = self._monotonic()
            if now < self._closed_until:
                return False
            self._closed_until = now + probe_seconds
            return True

    def note(self, *, was_taken: bool) -> None:
        """Note how a try ended."""
        with self._lock:
            if was_taken:
                self._pause = 0.0
                return
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            self._closed_until = self._monotonic() + self._pause
