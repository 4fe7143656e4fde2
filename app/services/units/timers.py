"""Do things in a while, by one thread for all of them, which is there while something waits."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Timers:
    """What is to be done, and when; each thing must be short."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._has_thread = False

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something after so many seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), act))
            self._changed.notify()
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name="ferryman-timers", daemon=True).start()

    def _run(self) -> None:
        while (act := self._next()) is not None:
            act()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while self._waiting:
                left = self._waiting[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
            self._has_thread = False
            return None
