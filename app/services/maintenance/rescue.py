"""Free runs that no daemon can work on, or end them: a duty of the leader."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.engine.errors import StoreUnavailableError
from app.services.maintenance.duty_rows import DutyRows
from app.services.runs.lifecycle import RunLifecycle

ATTEMPTS: Final = 4
"""Attempts to free a run, each as far from the next as repeated messages are, before it is given up."""
_BATCH: Final = 100


class StuckRunRescuer:
    """Frees runs that can not end by themselves."""

    def __init__(
        self,
        *,
        find_stuck: Callable[..., Sequence[str]],
        lifecycle: RunLifecycle,
        stuck_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._find_stuck = find_stuck
        self._lifecycle = lifecycle
        self._stuck_seconds = stuck_seconds
        self._rows = DutyRows("rescue", monotonic=monotonic)
        self._attempts: dict[str, int] = {}

    def rescue_stuck(self) -> None:
        """Free the runs that are stuck, and end those for which it has failed too often.

        A run is never ended at first sight: after an outage of everything each run looks stuck, and is about to go on.
        One whose row breaks the attempt to free it has not been freed.
        """
        skipped = self._rows.skipped()
        failed = {run_id: self._attempts[run_id] for run_id in skipped if run_id in self._attempts}
        for run_id in self._find_stuck(seconds=self._stuck_seconds, limit=_BATCH, skipped=skipped):
            report = partial(self._lifecycle.record_unhandled, run_id)
            if self._rows.handle(run_id, partial(self._lifecycle.rescue, run_id), report=report):
                continue
            failed[run_id] = self._attempts.get(run_id, 0) + 1
            if failed[run_id] >= ATTEMPTS:
                self._rows.handle(run_id, partial(self._end, run_id, failed[run_id]), report=report)
        self._attempts = failed

    def _end(self, run_id: str, attempts: int) -> None:
        try:
            self._lifecycle.fail_stuck(run_id, attempts=attempts)
        except StoreUnavailableError:
            raise
        except Exception as error:
            # Whatever of its row can not be read, its end can be written.
            self._lifecycle.fail_unreadable(run_id, kind=type(error).__name__)
