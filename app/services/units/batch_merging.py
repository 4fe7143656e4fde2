"""Decide when the batches of records that wait for a webhook are merged: at once, or when more of them have come."""

from collections.abc import Callable
from typing import Final

from app.engine.runs.work import Claim, PendingEvent
from app.engine.webhooks.merging import Line, MergeBounds
from app.settings import Settings

_LONGEST_PAUSE_SECONDS: Final = 0.1
"""After this it is looked again whether there is anything to wait for."""


class BatchMerging:
    """Merges what a delivery unit is about to send."""

    def __init__(self, look: Callable[[str, str], Line | None], merge: Callable[..., None], settings: Settings) -> None:
        """``look`` returns what waits of a run for a webhook; ``merge`` merges it, and raises LeaseLostError."""
        self._look = look
        self._merge = merge
        self._bounds = read_merge_bounds(settings)
        self._linger_seconds = settings.delivery_linger_seconds
        self._lease_seconds = settings.lease_seconds

    def may_merge(self, event: PendingEvent) -> bool:
        """Whether an event is a batch that was never sent and is not full; any other is sent as it is."""
        return event.is_open and self._bounds.has_room(event.records, len(event.body))

    def pause_seconds(self, claim: Claim, event: PendingEvent) -> float:
        """Return how long to wait before the next look whether there is more; 0 when it is time to send.

        Who waits holds a place at the webhook: not where others wait for theirs.
        """
        if not self._linger_seconds or claim.is_crowded:
            return 0.0
        line = self._look(claim.run_id, event.webhook_id)
        if line is None or not line.is_growing(self._bounds):
            return 0.0
        return max(0.0, min(self._linger_seconds - line.age_seconds, _LONGEST_PAUSE_SECONDS))

    def merge(self, claim: Claim, event: PendingEvent) -> None:
        """Merge what waits from an event on; raise LeaseLostError."""
        self._merge(claim, event.webhook_id, lease_seconds=self._lease_seconds)


def read_merge_bounds(settings: Settings) -> MergeBounds:
    """Return how large a batch may become."""
    return MergeBounds(records=settings.delivery_merge_records, bytes=settings.delivery_batch_bytes)
