"""Releases a part of a budget that a process does not use, so that others may have it."""

import asyncio
from collections.abc import Callable

from app.engine.limits import constants


class IdleRelease:
    """Releases a part that was not needed for a moment, also when no more requests come."""

    def __init__(
        self, *, is_needed: Callable[[], bool], release: Callable[[], object], time: Callable[[], float]
    ) -> None:
        self._is_needed = is_needed
        self._release = release
        self._time = time
        self._needed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def mark_needed(self) -> None:
        """Record that the part is needed."""
        self._needed_at = self._time()

    def check(self) -> None:
        """Check whether the part is still needed, now and in a moment."""
        if self._is_needed():
            self.mark_needed()
        elif self._timer is None:
            self._check_in(constants.SPARE_SECONDS)

    def close(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_again(self) -> None:
        self._timer = None
        if self._is_needed():
            return
        left = self._needed_at + constants.SPARE_SECONDS - self._time()
        if left <= 0:
            self._release()
        else:
            self._check_in(left)

    def _check_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check_again)
