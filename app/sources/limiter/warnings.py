"""Tell in the log that an account's upstream fails, refuses or is slow: a run that waits for it shows nothing of that.

A line of each kind and half a minute at most, so that an upstream that is down does not fill the log.
"""

import logging
from collections.abc import Callable

from app.engine.limits import constants
from app.engine.record_errors import SourceError

logger = logging.getLogger(__name__)


class ThrottledWarnings:
    """What one process has to say about one account's upstream."""

    def __init__(self, account_id: str, time: Callable[[], float]) -> None:
        self._account_id = account_id
        self._time = time
        self._said_at: dict[str, float] = {}
        self._times: dict[str, int] = {}

    def failed(self, endpoint: str, error: SourceError, wait_seconds: float) -> None:
        """Tell of a request that is tried again; one that is not is an error of its run."""
        self._say("an upstream failed: trying again", endpoint, code=error.code, wait_seconds=wait_seconds)

    def refused(self, endpoint: str, status: int, wait_seconds: float | None) -> None:
        """Tell of a request that came too early; ``wait_seconds`` is what the upstream told."""
        self._say("an upstream asks to wait", endpoint, status=status, wait_seconds=wait_seconds)

    def answered(self, endpoint: str, seconds: float) -> None:
        """Tell of an answer that took its time."""
        if seconds >= constants.SLOW_ANSWER_SECONDS:
            self._say("an upstream answers slowly", endpoint, seconds=seconds)

    def _say(self, message: str, endpoint: str, **facts: object) -> None:
        now = self._time()
        times = self._times.get(message, 0) + 1
        if now - self._said_at.get(message, -constants.QUIET_SECONDS) < constants.QUIET_SECONDS:
            self._times[message] = times
            return
        self._said_at[message], self._times[message] = now, 0
        rounded = {name: round(fact, 1) if isinstance(fact, float) else fact for name, fact in facts.items()}
        # Those since the line before are counted in "times".
        extra = {"account_id": self._account_id, "endpoint": endpoint, **rounded, "times": times}
        logger.warning(message, extra=extra)
