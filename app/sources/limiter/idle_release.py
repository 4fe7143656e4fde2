"""When a process has had no use for the better half of its part of a budget, so that others may have it."""

import asyncio
from collections.abc import Callable

from app.engine.limits import constants


class IdleRelease:
    """Lets go of a part that nobody needed for a moment, also when no request comes any more."""

    def __init__(
        self, *, is_needed: Callable[[], bool], let_go: Callable[[], object], time: Callable[[], float]
    ) -> None:
        self._is_needed = is_needed
        self._let_go = let_go
        self._time = time
        self._needed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def need(self) -> None:
        """Note that the part was just found right."""
        self._needed_at = self._time()

    def look(self) -> None:
        """Look whether the part is still needed, now and in a moment."""
        if self._is_needed():
            self.need()
        elif self._timer is None:
            self._look_again_in(constants.SPARE_SECONDS)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self) -> None:
        self._timer = None
        if self._is_needed():
            return
        left = self._needed_at + constants.SPARE_SECONDS - self._time()
        if left <= 0:
            self._let_go()
        else:
            self._look_again_in(left)

    def _look_again_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look_again)
