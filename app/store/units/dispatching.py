"""Which units wait for a wake-up, and how long one is left alone before it counts as lost and is sent again."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text

from app.engine.status import UnitStatus
from app.services.maintenance.ports import LostBefore

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


# Each has its own partial index (tables/runs.py), so that looking is cheap however many units are done or parked.
PARKED_UNITS = f"select id from unit where status = '{UnitStatus.READY}' and rung_at < wake_at and wake_at <= now()"
"""The timer is due, and no wake-up was sent since it was set."""
UNANSWERED_UNITS = f"""
    select id from unit where status = '{UnitStatus.READY}' and (wake_at is null or wake_at <= rung_at)
           and rung_at < now() - make_interval(secs => :ring_after)
"""
"""A wake-up was sent, and nobody came."""
EXPIRED_UNITS = f"""
    select id from unit
     where status = '{UnitStatus.LEASED}' and rung_at < now() - interval '5 seconds' and lease_expires_at < now()
           and (rung_at < lease_expires_at or rung_at < now() - make_interval(secs => :ring_after))
"""
"""Their worker is gone, and no wake-up was sent since, or nobody came."""

DUE_QUEUES = text(f"""
    select distinct r.queue from sync_job_run r join unit u on u.run_id = r.id
     where u.id in ({UNANSWERED_UNITS} union all {EXPIRED_UNITS})
""")

DUE_UNITS = text(f"""
    with {LOST},
         parked as ({PARKED_UNITS} order by wake_at limit :limit for update skip locked),
         unanswered as (
        select u.id from unit u join sync_job_run r on r.id = u.run_id join lost on lost.queue = r.queue
         where u.id in ({UNANSWERED_UNITS})
               and {is_lost("u.rung_at", "greatest(u.updated_at, u.wake_at)")}
         order by u.rung_at limit :limit for update of u skip locked),
         expired as (
        select u.id from unit u join sync_job_run r on r.id = u.run_id left join lost on lost.queue = r.queue
         where u.id in ({EXPIRED_UNITS})
               and (u.rung_at < u.lease_expires_at or {is_lost("u.rung_at", "u.lease_expires_at")})
         limit :limit for update of u skip locked),
         due as (
        select id from parked union all select id from unanswered union all select id from expired limit :limit)
    update unit set rung_at = now() from due, sync_job_run r
     where unit.id = due.id and r.id = unit.run_id
 returning unit.run_id, unit.id, r.queue
""")


# As if it was woken before its timer was due, or long ago: both are woken at the next look.
REDISPATCH = text("""
    update unit set rung_at = least(now(), coalesce(wake_at, now())) - interval '1 hour'
     where id = any(cast(:ids as uuid[]))
""")
