"""Counts of tokens' requests in one process, where there is no Redis, or while it is away."""

import threading
from collections.abc import Callable
from typing import Final

from app.services.request_limits import Window

_MOST_KEPT: Final = 1000


class LocalRequests:
    """Counts what this process alone is asked; safe to use from several threads."""

    def __init__(self, *, window_seconds: float, monotonic: Callable[[], float]) -> None:
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        """What is used, and when the window ends."""

    def take(self, token_id: str, requests: int) -> Window:
        """Take requests of a token's window."""
        with self._lock:
            now = self._monotonic()
            used, ends_at = self._windows.get(token_id, (0, 0.0))
            if now >= ends_at:
                if len(self._windows) >= _MOST_KEPT:
                    self._windows = {id: one for id, one in self._windows.items() if now < one[1]}
                used, ends_at = 0, now + self._window_seconds
            self._windows[token_id] = (used + requests, ends_at)
            return Window(used + requests, ends_at - now)
