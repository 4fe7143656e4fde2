"""Free runs that nobody can work on, or end them: a chore of whoever sweeps."""

from collections.abc import Sequence
from typing import Final, Protocol

from app.services.tracking import Tracking

ATTEMPTS: Final = 4
"""Attempts to free a run, each as far from the next as rings are, before it is given up."""
_BATCH: Final = 100


class StuckRuns(Protocol):
    """Knows which runs are stuck."""

    def stuck(self, *, seconds: float, limit: int) -> Sequence[str]:
        """List live runs that nobody could work on for so long."""


class Unsticking:
    """Looks after runs that can never end by themselves."""

    def __init__(self, *, runs: StuckRuns, tracking: Tracking, stuck_seconds: float) -> None:
        self._runs = runs
        self._tracking = tracking
        self._stuck_seconds = stuck_seconds
        self._attempts: dict[str, int] = {}

    def step(self) -> None:
        """Free the runs that are stuck, and end those for which it has failed too often.

        A run is never ended at first sight: after an outage of everything each run looks stuck, and is about to go on.
        """
        failed: dict[str, int] = {}
        for run_id in self._runs.stuck(seconds=self._stuck_seconds, limit=_BATCH):
            if self._tracking.free(run_id):
                continue
            failed[run_id] = self._attempts.get(run_id, 0) + 1
            if failed[run_id] >= ATTEMPTS:
                self._tracking.end_stuck(run_id, attempts=failed[run_id])
        self._attempts = failed
