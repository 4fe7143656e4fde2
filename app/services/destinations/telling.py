"""Tell webhooks that a destination lags, fails, or is well again: a duty of the leader."""

from collections.abc import Callable, Sequence
from typing import Final

from app.engine.webhooks.destination_events import DestinationHealth, SeenDestination, judge_health

EVERY_SECONDS: Final = 5.0
REST: Final = 5.0
"""Times as long as a look took, nobody looks again."""


class DestinationTelling:
    """Compares how destinations are with what the last event said."""

    def __init__(
        self,
        look: Callable[[], Sequence[SeenDestination]],
        tell: Callable[[SeenDestination, DestinationHealth], object],
        *,
        behind_seconds: float,
        failing_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``tell`` queues the event, once: whoever else has sent it meanwhile was first."""
        self._look = look
        self._tell = tell
        self._behind_seconds = behind_seconds
        self._failing_seconds = failing_seconds
        self._monotonic = monotonic
        self._look_at = 0.0

    def tell_changes(self) -> None:
        """Send an event of each destination whose health is another one than was sent.

        With very many cursors a look takes long; then the next one waits a multiple of that.
        """
        if (began := self._monotonic()) < self._look_at:
            return
        found = self._look()
        self._look_at = self._monotonic() + REST * (self._monotonic() - began)
        for seen in found:
            health = judge_health(seen, behind_seconds=self._behind_seconds, failing_seconds=self._failing_seconds)
            if health is not seen.health:
                self._tell(seen, health)
