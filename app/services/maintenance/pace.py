"""How fast the leader clears up: never more than half of one session of Postgres, whatever there is to do."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

TURN_SECONDS: Final = 2.0
"""After how long a turn makes room for those of others."""
_LONGEST_PAUSE_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 30.0
"""A batch that hangs keeps the others waiting no longer."""


class Pace:
    """Lets one batch go on at a time, and after each of them rests for as long as it took."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.monotonic = monotonic
        self._pause = pause
        self._lock = threading.Lock()

    def take(self, batch: Callable[[], T]) -> T:
        """Do a batch, then rest."""
        is_mine = self._lock.acquire(timeout=_LONGEST_WAIT_SECONDS)
        began = self.monotonic()
        try:
            return batch()
        finally:
            self._pause(min(self.monotonic() - began, _LONGEST_PAUSE_SECONDS))
            if is_mine:
                self._lock.release()
