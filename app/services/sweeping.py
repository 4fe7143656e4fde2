"""Repair what no message told: ring again, take back, settle, mark silent. One leader at a time does it.

Every duty is idempotent and works in small batches, so that a leader that dies in between leaves nothing half-done.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from app.engine.work import Ring
from app.services.ports import Bell
from app.services.tracking import Tracking
from app.settings import Settings

logger = logging.getLogger(__name__)

BATCH = 500


class Units(Protocol):
    """Knows which units wait in vain."""

    def ring_due(self, *, ring_after_seconds: float, limit: int) -> list[Ring]:
        """Mark and list the units that somebody should look at."""


class Runs(Protocol):
    """Knows which runs wait in vain."""

    def ring_due(self, *, ring_after_seconds: float, limit: int) -> Sequence[tuple[str, str]]:
        """Mark and list ``(run id, queue)`` of created runs whose message seems lost and whose group has a daemon."""

    def unsettled(self, *, limit: int) -> Sequence[str]:
        """List begun runs without work left, which nobody has settled."""


class Messages(Protocol):
    """Keeps promised messages."""

    def publish_waiting(
        self, publish: Callable[[str, list[str], str], bool], *, older_than_seconds: float, limit: int
    ) -> int:
        """Publish what waits for longer than this, until the first that can not be published."""


class Daemons(Protocol):
    """Knows who was heard of when."""

    def mark_silent(self, *, seconds: float) -> int:
        """Mark silent daemons as stopped."""


class TaskBell(Bell, Protocol):
    """A bell that publishes any task by its name."""

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        """Publish; tell whether the broker took it."""


class Sweeper:
    """The duties of the leader."""

    def __init__(
        self,
        *,
        units: Units,
        runs: Runs,
        messages: Messages,
        daemons: Daemons,
        tracking: Tracking,
        bell: TaskBell,
        settings: Settings,
    ) -> None:
        self._units = units
        self._runs = runs
        self._messages = messages
        self._daemons = daemons
        self._tracking = tracking
        self._bell = bell
        self._settings = settings

    def sweep(self) -> None:
        """Do each duty once."""
        self._publish_promised()
        self._bell.ring(self._units.ring_due(ring_after_seconds=self._settings.ring_after_seconds, limit=BATCH))
        for run_id, queue in self._runs.ring_due(ring_after_seconds=self._settings.ring_after_seconds, limit=BATCH):
            self._bell.ring_run(run_id, queue=queue)
        for run_id in self._runs.unsettled(limit=BATCH):
            self._tracking.settle(run_id)
        if silent := self._daemons.mark_silent(seconds=self._settings.daemon_silence_seconds):
            logger.warning("daemons fell silent", extra={"daemons": silent})

    def _publish_promised(self) -> None:
        self._messages.publish_waiting(
            lambda task, args, queue: self._bell.publish(task, args, queue=queue),
            older_than_seconds=self._settings.publish_timeout_seconds,
            limit=BATCH,
        )
