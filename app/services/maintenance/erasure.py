"""Erase what was deleted, in the background: a bit of each erasure that is due in turn, until nothing of it is left."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.engine.errors import DestinationError
from app.engine.objects.accounts import Erasure
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows, Pace
from app.services.maintenance.ports import Erasures

logger = logging.getLogger(__name__)

BATCH: Final = 1000
_AT_ONCE: Final = 20
"""Erasures of one turn, which each get a batch before one of them gets another."""
_EVERY_SECONDS: Final = 10.0
_RUNS: Final = 100


class ErasureDuty:
    """The duty that erases. It may die anywhere: what is erased is counted in the same transaction."""

    def __init__(
        self,
        erasures: Erasures,
        stop_run: Callable[[str], object],
        pace: Pace,
        *,
        erase_at_destinations: Callable[[Erasure], None],
    ) -> None:
        """``erase_at_destinations`` raises DestinationError while one of them can not be reached."""
        self._erasures = erasures
        self._erase_at_destinations = erase_at_destinations
        self._stop_run = stop_run
        self._pace = pace
        self._rows = DutyRows("erasing", monotonic=pace.monotonic)

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return [Duty(name="erasing", do=self.run_turn, every_seconds=_EVERY_SECONDS)]

    def run_turn(self) -> bool:
        """Erase for a while; return whether there is more."""
        until = self._pace.monotonic() + TURN_SECONDS
        due = self._erasures.find_due(skipped=self._rows.list_skipped(), limit=_AT_ONCE)
        while due and self._pace.monotonic() < until:
            due = [erasure for erasure in due if self._has_more(erasure)]
        return bool(due)

    def _has_more(self, erasure: Erasure) -> bool:
        report = partial(self._erasures.record_error, erasure.id)
        return self._rows.handle(erasure.id, partial(self._erase, erasure), report=report) is True

    def _erase(self, erasure: Erasure) -> bool:
        if erasure.resource is None:
            # A run could write until then.
            for run_id in self._erasures.find_live_runs(erasure.integrated_account_id, limit=_RUNS):
                self._stop_run(run_id)
        # From here on nothing more of it is written at a destination.
        self._erasures.begin(erasure.id)
        try:
            self._erase_at_destinations(erasure)
        except DestinationError:
            # One that is away keeps nothing here from being erased, but the erasure from being over.
            self._pace.take(partial(self._erasures.erase_some, erasure, limit=BATCH, may_finish=False))
            raise
        return self._pace.take(partial(self._erasures.erase_some, erasure, limit=BATCH))
