"""Erase what was deleted, in the background: a bit of each erasure that is due in turn, until nothing of it is left."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from app.engine.objects.accounts import Erasure
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import DutyRows
from app.services.maintenance.pace import TURN_SECONDS, Pace

logger = logging.getLogger(__name__)

BATCH: Final = 1000
_AT_ONCE: Final = 20
"""Erasures of one turn, which each get a batch before one of them gets another."""
_EVERY_SECONDS: Final = 10.0
_RUNS: Final = 100


class Erasures(Protocol):
    """Knows what is to be erased, and erases it."""

    def due(self, *, skipped: Sequence[str], limit: int) -> Sequence[Erasure]:
        """List those that may go on, but for some."""

    def live_runs(self, account_id: str, *, limit: int) -> Sequence[str]:
        """List runs of an account that have not ended."""

    def erase_some(self, erasure: Erasure, *, limit: int) -> bool:
        """Erase so many rows, and note the end once none is left; tell whether there may be more."""

    def note_error(self, id: str, error: str) -> None:
        """Note why an erasure does not go on."""


class Runs(Protocol):
    """Ends runs."""

    def stop(self, run_id: str) -> bool:
        """End a run for its user; nothing of it is written from then on."""


class ErasureDuty:
    """The duty that erases. It may die anywhere: what is erased is counted in the same transaction."""

    def __init__(self, erasures: Erasures, runs: Runs, pace: Pace) -> None:
        self._erasures = erasures
        self._runs = runs
        self._pace = pace
        self._rows = DutyRows("erasing", monotonic=pace.monotonic)

    def duties(self) -> Sequence[Duty]:
        """Make the duty."""
        return [Duty(name="erasing", do=self.turn, every_seconds=_EVERY_SECONDS)]

    def turn(self) -> bool:
        """Erase for a while; tell whether there is more."""
        until = self._pace.monotonic() + TURN_SECONDS
        due = self._erasures.due(skipped=self._rows.skipped(), limit=_AT_ONCE)
        while due and self._pace.monotonic() < until:
            due = [erasure for erasure in due if self._has_more(erasure)]
        return bool(due)

    def _has_more(self, erasure: Erasure) -> bool:
        tell = partial(self._erasures.note_error, erasure.id)
        return self._rows.handle(erasure.id, partial(self._erase, erasure), tell=tell) is True

    def _erase(self, erasure: Erasure) -> bool:
        if erasure.resource is None:
            # It could write until then, and needs nobody's account any more.
            for run_id in self._erasures.live_runs(erasure.integrated_account_id, limit=_RUNS):
                self._runs.stop(run_id)
        return self._pace.take(partial(self._erasures.erase_some, erasure, limit=BATCH))
