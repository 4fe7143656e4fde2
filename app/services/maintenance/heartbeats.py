"""Collect the heartbeats of all daemons, and mark as stopped those that have fallen silent: a duty of the leader."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.engine.errors import BrokerUnavailableError, StoreUnavailableError
from app.services.maintenance.duty_rows import DutyRows
from app.services.maintenance.ports import Heartbeat

logger = logging.getLogger(__name__)

HEARTBEATS_AT_ONCE: Final = 2000


class HeartbeatCollector:
    """Records reports.

    It marks no daemon before it could collect for as long as a daemon may be silent: while the broker is away, and
    just after, silence proves nothing.
    """

    def __init__(
        self,
        *,
        collect: Callable[[], Sequence[Heartbeat]],
        record: Callable[..., int],
        silence_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``record`` writes reports, marks daemons without one for so long as stopped, and returns how many."""
        self._collect = collect
        self._record_all = record
        self._silence_seconds = silence_seconds
        self._monotonic = monotonic
        self._collecting_since: float | None = None
        self._rows = DutyRows("roll call", monotonic=monotonic)

    def collect(self) -> None:
        """Record who has reported, and mark who has not."""
        now = self._monotonic()
        try:
            reports = self._collect()
        except BrokerUnavailableError:
            self._collecting_since = None
            return
        if self._collecting_since is None:
            self._collecting_since = now
        is_sure = now - self._collecting_since >= self._silence_seconds
        silent = self._record(
            list({heartbeat.daemon_id: heartbeat for heartbeat in reports}.values()),
            silence_seconds=self._silence_seconds if is_sure else None,
        )
        if silent:
            logger.warning("daemons fell silent", extra={"daemons": silent})

    def _record(self, reports: Sequence[Heartbeat], *, silence_seconds: float | None) -> int:
        """Record all reports at once, or one by one where one of them can not be recorded."""
        try:
            return self._record_all(reports, silence_seconds=silence_seconds)
        except StoreUnavailableError:
            raise
        except Exception:
            for heartbeat in reports:
                self._rows.handle(heartbeat.daemon_id, partial(self._record_all, [heartbeat], silence_seconds=None))
            return self._record_all([], silence_seconds=silence_seconds)
