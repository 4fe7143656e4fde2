"""How long a wake-up is left alone before it counts as lost, and is sent again."""

from collections.abc import Mapping
from typing import Any, Final

from app.services.maintenance.queue_heads import LostBefore

LONGEST_SECONDS: Final = 600.0

LOST: Final = """
    lost as (
        select * from unnest(cast(:queues as text[]), cast(:lost_before as timestamptz[]), cast(:are_empty as bool[]))
                      as l (queue, lost_before, is_empty))
"""
"""What is known of queues."""


def is_lost(rung_at: str, since: str) -> str:
    """Return the condition that a wake-up is lost, by ``lost``; ``since`` is when there was first a reason for it.

    So each wake-up comes after twice the time of the one before.
    """
    return f"""
        {rung_at} < lost.lost_before
        and (lost.is_empty or {rung_at} < now() - make_interval(secs => least(
                greatest(:ring_after, extract(epoch from {rung_at} - {since})), greatest(:ring_after, :longest))))
    """


def values_of(lost: Mapping[str, LostBefore], *, ring_after_seconds: float) -> dict[str, Any]:
    """Return the parameters of both."""
    return {
        "queues": list(lost),
        "lost_before": [one.at for one in lost.values()],
        "are_empty": [one.is_empty for one in lost.values()],
        "ring_after": ring_after_seconds,
        "longest": LONGEST_SECONDS,
    }
