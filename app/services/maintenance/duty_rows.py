"""How duties go over rows: at a pace, and so that one that can not be handled does not delay the others."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from app.engine.errors import FerrymanError, StoreUnavailableError
from app.engine.limits import retry

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 1800.0
_PASSING_PAUSE_SECONDS: Final = 1.0
"""The first pause of a row that found Postgres away, and may be to blame for that itself."""
TURN_SECONDS: Final = 2.0
"""After how long a turn makes room for those of others."""
_LONGEST_REST_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 30.0
"""A batch that hangs keeps the others waiting no longer."""


class DutyRows:
    """Handles rows, and remembers for a while which of them could not be handled.

    A new leader knows none, and so tries each of them once.
    """

    def __init__(self, duty: str, *, monotonic: Callable[[], float]) -> None:
        self._duty = duty
        self._monotonic = monotonic
        self._paused: dict[str, tuple[int, float]] = {}
        """By row: how often it failed, and until when it is skipped."""

    def list_skipped(self) -> Sequence[str]:
        """List the rows that are not to be handled yet, so that they take up no place among those that are."""
        now = self._monotonic()
        self._drop_old(now)
        return [id for id, (_, until) in self._paused.items() if now < until]

    def handle(self, row_id: str, do: Callable[[], T], *, report: Callable[[str], object] | None = None) -> T | None:
        """Handle a row; one that fails is skipped for a while, longer each time, and ``report`` receives the reason.

        Returns None then. Raises StoreUnavailableError when Postgres is away: the other rows go first at the next turn.
        """
        try:
            done = do()
        except StoreUnavailableError:
            self._pause(row_id, _PASSING_PAUSE_SECONDS)
            raise
        except Exception as error:
            self._skip(row_id, error, report)
            return None
        self._paused.pop(row_id, None)
        return done

    def _skip(self, row_id: str, error: Exception, report: Callable[[str], object] | None) -> None:
        facts = {"duty": self._duty, "row": row_id, "reason": type(error).__name__}
        logger.warning("a row could not be handled: it is skipped for a while", extra=facts, exc_info=error)
        self._pause(row_id, FIRST_PAUSE_SECONDS)
        if report is None:
            return
        try:
            report(describe_error(error))
        except Exception:
            logger.warning("nor could the reason be recorded", extra=facts, exc_info=True)

    def _drop_old(self, now: float) -> None:
        """Drop what has not failed for long: it went well elsewhere, or is gone."""
        self._paused = {id: one for id, one in self._paused.items() if now < one[1] + LONGEST_PAUSE_SECONDS}

    def _pause(self, row_id: str, first_seconds: float) -> None:
        now = self._monotonic()
        self._drop_old(now)
        failures = self._paused.get(row_id, (0, 0.0))[0] + 1
        pause = retry.compute_backoff(failures, first_seconds, LONGEST_PAUSE_SECONDS)
        self._paused[row_id] = (failures, now + pause)


def describe_error(error: Exception) -> str:
    """Return what a row's owner may read: the text of an error of Ferryman's own, else its kind alone."""
    return error.message if isinstance(error, FerrymanError) else f"it broke with {type(error).__name__}"


class Pace:
    """Runs one batch at a time, and rests after each for as long as it took: half of one session of Postgres."""

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
            self._pause(min(self.monotonic() - began, _LONGEST_REST_SECONDS))
            if is_mine:
                self._lock.release()
