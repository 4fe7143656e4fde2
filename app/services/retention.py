"""Forget what nobody will ask for any more, a little at a time, so that no look at what is due has to wait for it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.settings import Settings

logger = logging.getLogger(__name__)

BATCH: Final = 500
_PASS_SECONDS: Final = 300.0
"""A pass over everything begins so long after the last one ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredRun:
    """A run that ended long ago."""

    id: str
    place: tuple[object, str]
    """Where it stands among all ended runs."""
    may_go: bool
    """False while its events are not delivered, or while the next increment begins where it began."""


class Attic(Protocol):
    """Holds what is over; each method forgets at most ``limit`` rows in one transaction and tells how many it was."""

    def forget_bodies(self, *, seconds: float, limit: int) -> int:
        """Empty the bodies of events that were delivered so long ago."""

    def forget_tombstones(self, *, seconds: float, limit: int) -> int:
        """Remove records that were marked as deleted so long ago."""

    def forget_keys(self, *, limit: int) -> int:
        """Remove idempotency keys that bind nobody any more."""

    def forget_messages(self, *, limit: int) -> int:
        """Remove promised messages about runs that no longer wait for one."""

    def forget_daemons(self, *, seconds: float, limit: int) -> int:
        """Remove daemons that stopped so long ago."""

    def forget_fires(self, *, seconds: float, limit: int) -> int:
        """Remove what became of triggers' due times so long ago."""

    def forget_calls(self, *, seconds: float, limit: int) -> int:
        """Remove direct calls that were made so long ago."""

    def forget_announcements(self, *, seconds: float, limit: int) -> int:
        """Remove events of no run that ended so long ago."""

    def forget_told(self, *, seconds: float, limit: int) -> int:
        """Remove what webhooks were told so long ago to have vanished."""

    def expired_runs(self, *, seconds: float, after: tuple[object, str] | None, limit: int) -> Sequence[ExpiredRun]:
        """List runs that ended so long ago, oldest first, on from a place."""

    def forget_run(self, run_id: str, *, seconds: float, limit: int) -> int:
        """Remove so many rows of a run's, and last the run itself; 0 when nothing is left, or it lives again."""


Duty = Callable[[], bool]
"""Does one batch; tells whether there may be more."""


class Retention:
    """Forgets one batch at each step. Live runs and living records are never touched; 0 seconds keep for ever."""

    def __init__(self, attic: Attic, settings: Settings, *, monotonic: Callable[[], float]) -> None:
        self._attic = attic
        self._settings = settings
        self._monotonic = monotonic
        self._duties: Final[Sequence[Duty]] = (
            self._forget_bodies,
            self._forget_tombstones,
            self._forget_told,
            lambda: self._is_full(attic.forget_keys(limit=BATCH)),
            lambda: self._is_full(attic.forget_messages(limit=BATCH)),
            self._forget_daemons,
            self._forget_fires,
            self._forget_calls,
            self._forget_announcements,
            self._forget_runs,
        )
        self._place = 0
        self._next_pass = 0.0
        self._runs: list[ExpiredRun] = []
        self._after: tuple[object, str] | None = None

    def step(self) -> None:
        """Do one batch of the duty whose turn it is."""
        if self._place == 0 and self._monotonic() < self._next_pass:
            return
        if self._duties[self._place]():
            return
        self._place = (self._place + 1) % len(self._duties)
        if self._place == 0:
            self._next_pass = self._monotonic() + _PASS_SECONDS

    def _forget_bodies(self) -> bool:
        seconds = self._settings.delivered_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_bodies(seconds=seconds, limit=BATCH))

    def _forget_tombstones(self) -> bool:
        seconds = self._settings.tombstone_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_tombstones(seconds=seconds, limit=BATCH))

    def _forget_daemons(self) -> bool:
        seconds = self._settings.daemon_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_daemons(seconds=seconds, limit=BATCH))

    def _forget_fires(self) -> bool:
        seconds = self._settings.run_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_fires(seconds=seconds, limit=BATCH))

    def _forget_calls(self) -> bool:
        seconds = self._settings.run_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_calls(seconds=seconds, limit=BATCH))

    def _forget_told(self) -> bool:
        seconds = self._settings.tombstone_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_told(seconds=seconds, limit=BATCH))

    def _forget_announcements(self) -> bool:
        seconds = self._settings.run_retention_seconds
        return seconds > 0 and self._is_full(self._attic.forget_announcements(seconds=seconds, limit=BATCH))

    def _forget_runs(self) -> bool:
        """Go once over all expired runs, one batch of one run at a time."""
        seconds = self._settings.run_retention_seconds
        if seconds <= 0:
            return False
        if self._runs:
            if not self._attic.forget_run(self._runs[0].id, seconds=seconds, limit=BATCH):
                self._runs.pop(0)
            return True
        found = self._attic.expired_runs(seconds=seconds, after=self._after, limit=BATCH)
        self._runs = [run for run in found if run.may_go]
        self._after = found[-1].place if found else None
        return bool(found)

    def _is_full(self, removed: int) -> bool:
        if removed:
            logger.info("forgot old rows", extra={"rows": removed})
        return removed >= BATCH
