"""Free runs that nobody can work on, or end them: a chore of whoever sweeps."""

from collections.abc import Sequence
from typing import Final, Protocol

from app.services.tracking import Tracking

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

    def step(self) -> None:
        """Free or end the runs that are stuck by now."""
        for run_id in self._runs.stuck(seconds=self._stuck_seconds, limit=_BATCH):
            self._tracking.unstick(run_id)
