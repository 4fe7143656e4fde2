"""Repair what no message told: ring again, take back, settle, call the roll. One leader at a time does it.

The leader looks by one cheap question whether anything is due, and acts only where something is. Every duty is
idempotent and works in small batches, so that a leader that dies in between leaves nothing half-done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.engine.work import Ring
from app.services.ports import Bell
from app.services.tracking import Tracking
from app.settings import Settings

BATCH = 500

_THOROUGH_EVERY: Final = 5
"""Work whose message was lost has waited for long already: it is looked for at each fifth sweep only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """Which duties have something to do."""

    messages: bool = False
    """The broker has not got a promised message."""
    units: bool = False
    """A timer is due, a lease has expired, or nobody came for a unit."""
    runs: bool = False
    """Nobody came for a run."""
    unsettled: bool = False
    """A run has no work left, and nobody has ended it."""
    triggers: bool = False
    """A cron trigger's time has come."""
    announcements: bool = False
    """An event that belongs to no run can be sent."""


class Look(Protocol):
    """Finds out whether anything is due."""

    def look(self, *, is_thorough: bool) -> DueWork:
        """Tell which duties have work; timers, leases and promised messages always, lost ones when thorough."""


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


class Triggers(Protocol):
    """Makes runs by the clock."""

    def fire_due(self) -> None:
        """Begin to make the runs of a batch of triggers whose time has come, without waiting for it."""


class Announcements(Protocol):
    """Sends events that belong to no run."""

    def send_due(self) -> None:
        """Send what is due, without waiting for anybody."""


class TaskBell(Bell, Protocol):
    """A bell that publishes any task by its name."""

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        """Publish; tell whether the broker took it."""


class Chore:
    """A duty with a rhythm of its own, such as the roll call; it must be idempotent and take well under a second."""

    def __init__(self, do: Callable[[], object], *, every_seconds: float, monotonic: Callable[[], float]) -> None:
        self._do = do
        self._every_seconds = every_seconds
        self._monotonic = monotonic
        self._next = 0.0

    def do_when_due(self) -> None:
        """Do it if its time has come."""
        now = self._monotonic()
        if now >= self._next:
            # Before it is done, so that one which fails does not keep the others waiting.
            self._next = now + self._every_seconds
            self._do()


class Sweeper:
    """The duties of the leader."""

    def __init__(  # noqa: PLR0913  # one parameter per duty
        self,
        *,
        look: Look,
        units: Units,
        runs: Runs,
        messages: Messages,
        triggers: Triggers,
        announcements: Announcements,
        tracking: Tracking,
        bell: TaskBell,
        settings: Settings,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._look = look
        self._units = units
        self._runs = runs
        self._messages = messages
        self._triggers = triggers
        self._announcements = announcements
        self._tracking = tracking
        self._bell = bell
        self._settings = settings
        self._chores = chores
        self._sweeps = 0

    def sweep(self) -> None:
        """Look what is due, and do it; then do the chores whose time has come."""
        due = self._look.look(is_thorough=self._sweeps % _THOROUGH_EVERY == 0)
        self._sweeps += 1
        self._ring(due)
        if due.unsettled:
            for run_id in self._runs.unsettled(limit=BATCH):
                self._tracking.settle(run_id)
        if due.triggers:
            self._triggers.fire_due()
        if due.announcements:
            self._announcements.send_due()
        for chore in self._chores:
            chore.do_when_due()

    def _ring(self, due: DueWork) -> None:
        if due.messages:
            self._publish_promised()
        if due.units:
            self._bell.ring(self._units.ring_due(ring_after_seconds=self._settings.ring_after_seconds, limit=BATCH))
        if due.runs:
            self._ring_runs()

    def _publish_promised(self) -> None:
        self._messages.publish_waiting(
            lambda task, args, queue: self._bell.publish(task, args, queue=queue),
            older_than_seconds=self._settings.publish_timeout_seconds,
            limit=BATCH,
        )

    def _ring_runs(self) -> None:
        for run_id, queue in self._runs.ring_due(ring_after_seconds=self._settings.ring_after_seconds, limit=BATCH):
            self._bell.ring_run(run_id, queue=queue)
