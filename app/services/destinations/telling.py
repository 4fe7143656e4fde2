"""Tell webhooks that a destination lags, fails, or is well again: a duty of the leader."""

from collections.abc import Callable, Sequence
from typing import Final

from app.engine.webhooks.destination_events import DestinationHealth, SeenDestination, judge_health

EVERY_SECONDS: Final = 5.0


class DestinationTelling:
    """Compares how destinations are with what the last event said."""

    def __init__(
        self,
        look: Callable[[], Sequence[SeenDestination]],
        tell: Callable[[SeenDestination, DestinationHealth], object],
        *,
        behind_seconds: float,
        failing_seconds: float,
    ) -> None:
        """``tell`` queues the event, once: whoever else has sent it meanwhile was first."""
        self._look = look
        self._tell = tell
        self._behind_seconds = behind_seconds
        self._failing_seconds = failing_seconds

    def tell_changes(self) -> None:
        """Send an event of each destination whose health is another one than was sent."""
        for seen in self._look():
            health = judge_health(seen, behind_seconds=self._behind_seconds, failing_seconds=self._failing_seconds)
            if health is not seen.health:
                self._tell(seen, health)
