"""Log that an account's upstream fails, refuses or is slow, which a run that waits for it does not show.

At most one line of each kind in half a minute, so that an upstream that is down does not fill the log.
"""

import logging
from collections.abc import Callable

from app.engine.limits import constants
from app.engine.record_errors import SourceError

logger = logging.getLogger(__name__)


class ThrottledWarnings:
    """The warnings of one process about one account's upstream."""

    def __init__(self, account_id: str, time: Callable[[], float]) -> None:
        self._account_id = account_id
        self._time = time
        self._logged_at: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def log_failure(self, endpoint: str, error: SourceError, wait_seconds: float) -> None:
        """Log a request that is retried; one that is not retried is an error of its run."""
        self._warn("an upstream failed: trying again", endpoint, code=error.code, wait_seconds=wait_seconds)

    def log_refusal(self, endpoint: str, status: int, wait_seconds: float | None) -> None:
        """Log a request that came too early; ``wait_seconds`` is what the upstream asks for."""
        self._warn("an upstream asks to wait", endpoint, status=status, wait_seconds=wait_seconds)

    def log_slow_answer(self, endpoint: str, seconds: float) -> None:
        """Log an answer, if it was slow."""
        if seconds >= constants.SLOW_ANSWER_SECONDS:
            self._warn("an upstream answers slowly", endpoint, seconds=seconds)

    def _warn(self, message: str, endpoint: str, **facts: object) -> None:
        now = self._time()
        times = self._counts.get(message, 0) + 1
        if now - self._logged_at.get(message, -constants.QUIET_SECONDS) < constants.QUIET_SECONDS:
            self._counts[message] = times
            return
        self._logged_at[message], self._counts[message] = now, 0
        rounded = {name: round(fact, 1) if isinstance(fact, float) else fact for name, fact in facts.items()}
        # Those since the line before are counted in "times".
        extra = {"account_id": self._account_id, "endpoint": endpoint, **rounded, "times": times}
        logger.warning(message, extra=extra)
