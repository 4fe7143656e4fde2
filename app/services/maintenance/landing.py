"""Settle runs that have waited for their destinations: a duty of the leader."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import DutyRows
from app.services.runs.lifecycle import RunLifecycle

_BATCH: Final = 500


class RunLanding:
    """Settles the runs whose destinations have passed them, or that have waited for too long."""

    def __init__(
        self,
        *,
        find_landed: Callable[..., Sequence[str]],
        lifecycle: RunLifecycle,
        limit_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._find_landed = find_landed
        self._lifecycle = lifecycle
        self._limit_seconds = limit_seconds
        self._rows = DutyRows("landing", monotonic=monotonic)

    def build_duty(self) -> Duty:
        """Return what it does."""
        return Duty(name="landing", do=self.settle_landed, is_due=lambda due: due.landing)

    def settle_landed(self) -> None:
        """Settle those that need not wait any more."""
        skipped = self._rows.list_skipped()
        for run_id in self._find_landed(limit_seconds=self._limit_seconds, limit=_BATCH, skipped=skipped):
            report = partial(self._lifecycle.record_unhandled, run_id)
            self._rows.handle(run_id, partial(self._lifecycle.settle, run_id), report=report)
