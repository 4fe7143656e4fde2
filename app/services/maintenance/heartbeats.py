"""Who is there? The leader takes the reports of all daemons down, and finds who has fallen silent."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.engine.errors import BrokerUnavailableError, StoreUnavailableError
from app.services.maintenance.duty_rows import DutyRows
from app.services.maintenance.ports import Heartbeat, HeartbeatRegistry

logger = logging.getLogger(__name__)

HEARTBEATS_AT_ONCE: Final = 2000


class HeartbeatCollector:
    """The leader's list.

    It judges nobody before it could listen for as long as a daemon may be silent: while the broker is away, and just
    after, silence proves nothing.
    """

    def __init__(
        self,
        *,
        collect: Callable[[], Sequence[Heartbeat]],
        registry: HeartbeatRegistry,
        silence_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._collect = collect
        self._registry = registry
        self._silence_seconds = silence_seconds
        self._monotonic = monotonic
        self._listening_since: float | None = None
        self._rows = DutyRows("roll call", monotonic=monotonic)

    def take(self) -> None:
        """Take down who is there, and who is not any more."""
        now = self._monotonic()
        try:
            heard = self._collect()
        except BrokerUnavailableError:
            self._listening_since = None
            return
        if self._listening_since is None:
            self._listening_since = now
        has_listened = now - self._listening_since >= self._silence_seconds
        silent = self._note(
            list({heartbeat.daemon_id: heartbeat for heartbeat in heard}.values()),
            silence_seconds=self._silence_seconds if has_listened else None,
        )
        if silent:
            logger.warning("daemons fell silent", extra={"daemons": silent})

    def _note(self, heard: Sequence[Heartbeat], *, silence_seconds: float | None) -> int:
        """Take all reports down at once, or one by one where one of them keeps that from being done."""
        try:
            return self._registry.record_heartbeats(heard, silence_seconds=silence_seconds)
        except StoreUnavailableError:
            raise
        except Exception:
            for heartbeat in heard:
                self._rows.handle(
                    heartbeat.daemon_id, partial(self._registry.record_heartbeats, [heartbeat], silence_seconds=None)
                )
            return self._registry.record_heartbeats([], silence_seconds=silence_seconds)
