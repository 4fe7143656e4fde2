"""Prune what is past its retention, in small batches: each kind a duty of its own, all at one pace."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.engine.errors import StoreUnavailableError
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows, Pace
from app.services.maintenance.ports import PrunableRows
from app.settings import Settings

logger = logging.getLogger(__name__)

BATCH: Final = 1000
"""Rows of one transaction."""
RUNS_AT_ONCE: Final = 100
_PASS_SECONDS: Final = 300.0
"""A kind of which nothing is left to prune is looked at again so long after."""
_MOST_SKIPPED: Final = 20
"""Rows of a kind that can not be removed; beyond it the kind's pass ends."""


class RowsLeftError(Exception):
    """Some rows could not be removed."""


class Pruning:
    """One kind of rows. One that can not be removed, and breaks every batch that it is in, is found and passed over."""

    def __init__(self, name: str, prune: Callable[..., int], pace: Pace) -> None:
        """``prune`` takes ``limit`` and ``skip``."""
        self.name = name
        self._prune = prune
        self._pace = pace
        self._limit = BATCH
        self._skip = 0

    def run_turn(self) -> bool:
        """Prune for a while; return whether there may be more. Raise RowsLeftError after a pass that skipped some."""
        until = self._pace.monotonic() + TURN_SECONDS
        while self._pace.monotonic() < until:
            if not self._pace.take(self._prune_batch):
                self._end_pass()
                return False
        return True

    def _prune_batch(self) -> bool:
        try:
            removed = self._prune(limit=self._limit, skip=self._skip)
        except StoreUnavailableError:
            raise
        except Exception:
            if self._limit == 1:
                logger.warning("an old row can not be removed", extra={"duty": self.name}, exc_info=True)
                self._skip += 1
            self._limit = max(1, self._limit // 2)
            return self._skip < _MOST_SKIPPED
        is_full = removed >= self._limit
        self._limit = min(self._limit * 2, BATCH)
        if removed:
            logger.info("pruned old rows", extra={"duty": self.name, "rows": removed})
        return is_full

    def _end_pass(self) -> None:
        skipped, self._skip, self._limit = self._skip, 0, BATCH
        if skipped:
            raise RowsLeftError(f"{skipped} rows could not be removed")


class RunPruning:
    """Runs with all that belongs to them, many at once; one that can not be removed is skipped for a while."""

    def __init__(self, prunable: PrunableRows, pace: Pace, *, seconds: float) -> None:
        self._prunable = prunable
        self._pace = pace
        self._seconds = seconds
        self._rows = DutyRows("forgetting runs", monotonic=pace.monotonic)
        self._waiting: list[str] = []
        self._after: tuple[object, str] | None = None
        self._at_once = RUNS_AT_ONCE

    def run_turn(self) -> bool:
        """Prune for a while; return whether there may be more."""
        until = self._pace.monotonic() + TURN_SECONDS
        while self._pace.monotonic() < until:
            if self._waiting:
                self._pace.take(self._prune_batch)
            elif not self._find():
                return False
        return True

    def _find(self) -> bool:
        """Look for expired runs on from where the last ones stood; False at the end of a pass."""
        found = self._prunable.find_expired_runs(seconds=self._seconds, after=self._after, limit=BATCH)
        skipped = set(self._rows.list_skipped())
        self._waiting = [run.id for run in found if run.may_go and run.id not in skipped]
        self._after = found[-1].place if found else None
        return bool(found)

    def _prune_batch(self) -> None:
        chosen = self._waiting[: self._at_once]
        prune = partial(self._prunable.prune_runs, chosen, seconds=self._seconds, limit=BATCH)
        if len(chosen) == 1:
            pruned = self._rows.handle(chosen[0], prune)
        else:
            try:
                pruned = prune()
            except StoreUnavailableError:
                raise
            except Exception:
                # One of them breaks all: it is looked for by halves.
                self._at_once = len(chosen) // 2
                return
        self._at_once = min(2 * self._at_once, RUNS_AT_ONCE)
        if pruned is None or pruned.is_done:
            del self._waiting[: len(chosen)]
        if pruned is not None and pruned.rows:
            logger.info("pruned old rows", extra={"duty": "forgetting runs", "rows": pruned.rows})


class Retention:
    """All duties that prune. Live runs and living records are never touched; 0 seconds keep for ever."""

    def __init__(self, prunable: PrunableRows, settings: Settings, pace: Pace) -> None:
        self._prunable = prunable
        self._settings = settings
        self._pace = pace

    def build_duties(self) -> Sequence[Duty]:
        """Return a duty for each kind that does not stay for ever."""
        prunable, settings = self._prunable, self._settings
        runs, tombstones = settings.run_retention_seconds, settings.tombstone_retention_seconds
        kinds = {
            "keys": None,
            "messages": None,
            "told to nobody": None,
            "bodies": settings.delivered_retention_seconds,
            "tombstones": tombstones,
            "told": tombstones,
            "daemons": settings.daemon_retention_seconds,
            "fires": runs,
            "calls": runs,
            "audit entries": settings.audit_retention_seconds,
            "announcements": runs,
            "notifications": runs,
            "incidents": runs,
        }
        made = [
            _build_duty(name, Pruning(name, partial(prunable.prune, name, seconds=seconds or 0.0), self._pace).run_turn)
            for name, seconds in kinds.items()
            if seconds is None or seconds > 0
        ]
        if runs > 0:
            made.append(_build_duty("runs", RunPruning(prunable, self._pace, seconds=runs).run_turn))
        return made


def _build_duty(name: str, turn: Callable[[], bool]) -> Duty:
    return Duty(name=f"forgetting {name}", do=turn, every_seconds=_PASS_SECONDS)
