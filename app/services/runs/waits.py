"""Wait for the end of a run: a long poll, so that a caller need not ask again and again."""

import threading
import time
from collections.abc import Callable
from typing import Final

from app.engine.objects.runs import SyncJobRun
from app.services.runs.runs import RunService

LONGEST_WAIT_SECONDS: Final = 60.0

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class RunWaits:
    """Limits how many callers of a process wait at once: each holds a thread, which others need."""

    def __init__(
        self,
        runs: RunService,
        *,
        most: int = 3,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runs = runs
        self._places = threading.BoundedSemaphore(most)
        self._monotonic = monotonic
        self._sleep = sleep

    def wait(self, run: SyncJobRun, *, seconds: float) -> SyncJobRun | None:
        """Return a run once it has ended, or as it is after so many seconds; None when ``most`` others wait already.

        Between two looks no connection is held. Raises NotFoundError when it is removed meanwhile.
        """
        if seconds <= 0 or run.status.is_final:
            return run
        if not self._places.acquire(blocking=False):
            return None
        try:
            return self._wait(run, until=self._monotonic() + min(seconds, LONGEST_WAIT_SECONDS))
        finally:
            self._places.release()

    def _wait(self, run: SyncJobRun, *, until: float) -> SyncJobRun:
        pause = _FIRST_PAUSE
        while not run.status.is_final and (left := until - self._monotonic()) > 0:
            self._sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
            run = self._runs.get(run.environment_id, run.id)
        return run
