"""What the sending of notifications needs of the store."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.engine.objects.notifications import Notification


class OutgoingMessages(Protocol):
    """Stores the messages that wait to be sent; each call may come twice."""

    def take_due(self, *, limit: int, lease_seconds: float, skipped: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Lease some due messages for so long, at most one of each destination; return their rows."""

    def read(self, row: Mapping[str, Any], /) -> Notification:
        """Read a message's row."""

    def record_sent(self, notification_id: str) -> None:
        """Record that a receiver took a message; its destination works."""

    def record_failure(
        self, notification_id: str, error: str, *, pause_seconds: float, patience_seconds: float
    ) -> None:
        """Record why an attempt failed; the message is due again later, or given up when it is that old."""
