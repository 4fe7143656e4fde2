"""The duty that finds what lags at destinations and has daemons write it, and who passes the turn on."""

from collections.abc import Callable, Sequence
from typing import Final

from app.services.destinations.stores import DueCursors
from app.services.destinations.work import DueCursor

_AT_ONCE: Final = 100
"""Messages that wait: those for which daemons had no room lately count too."""
_NEW_AT_ONCE: Final = 5000
_RING_AFTER_SECONDS: Final = 30.0
_REST: Final = 5.0
"""Times as long as a look took, nobody looks again."""


class DestinationDispatcher:
    """Sends messages for cursors that lag. Postgres knows what lags: a lost message is sent again."""

    def __init__(
        self,
        due: DueCursors,
        send: Callable[[DueCursor], bool],
        *,
        most_of_destination: int,
        monotonic: Callable[[], float],
    ) -> None:
        """``send`` returns whether the broker took the message."""
        self._due = due
        self._send_message = send
        self._most_of_destination = most_of_destination
        self._monotonic = monotonic
        self._look_at = 0.0
        self._add_at = 0.0

    def dispatch_due(self) -> None:
        """Send messages for what lags, in turn over destinations.

        With very many cursors a look takes long; then the next one waits a multiple of that, so that Postgres has time
        for others.
        """
        began = self._monotonic()
        if began < self._look_at or not self._due.has_any():
            return
        if began >= self._add_at:
            self._due.add_new(limit=_NEW_AT_ONCE)
            self._add_at = self._monotonic() + _REST * (self._monotonic() - began)
        looked = self._monotonic()
        found = self._due.dispatch_due(
            most_of_destination=self._most_of_destination, ring_after_seconds=_RING_AFTER_SECONDS, limit=_AT_ONCE
        )
        self._look_at = self._monotonic() + _REST * (self._monotonic() - looked)
        self._send(found)

    def dispatch_next(self, destination_id: str) -> None:
        """Send a message for the cursor of a destination that has waited longest, if one lags."""
        if (found := self._due.next_of(destination_id, ring_after_seconds=_RING_AFTER_SECONDS)) is not None:
            self._send([found])

    def _send(self, found: Sequence[DueCursor]) -> None:
        missed = [one for one in found if not self._send_message(one)]
        if missed:
            self._due.redispatch(missed)
