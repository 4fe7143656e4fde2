"""Counts of tokens' requests in one process, without a Redis or while it is away."""

import threading
from collections.abc import Callable, Mapping

from app.engine.limits import constants
from app.services.calls.ports import Window


class LocalRequests:
    """Counts the requests of this process alone; safe to use from several threads."""

    def __init__(self, *, window_seconds: float, monotonic: Callable[[], float]) -> None:
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        """The used requests, and when the window ends."""

    def take(self, requests: Mapping[str, int]) -> Mapping[str, Window]:
        """Count requests in each key's window."""
        with self._lock:
            now = self._monotonic()
            return {key: self._take_one(key, number, now) for key, number in requests.items()}

    def _take_one(self, key: str, requests: int, now: float) -> Window:
        used, ends_at = self._windows.get(key, (0, 0.0))
        if now >= ends_at:
            if len(self._windows) >= constants.LOCAL_WINDOWS:
                self._windows = {id: one for id, one in self._windows.items() if now < one[1]}
            used, ends_at = 0, now + self._window_seconds
        self._windows[key] = (used + requests, ends_at)
        return Window(used + requests, ends_at - now)
