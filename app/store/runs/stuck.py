"""Runs that no daemon can work on: found, and repaired where something can be done; others only wait."""

from typing import Final

from sqlalchemy import Connection, text

from app.engine.runs.work import WakeUp
from app.engine.status import (
    ACTIVE_UNIT_STATUSES,
    BEGUN_RUN_STATUSES,
    DaemonStatus,
    DeliveryStatus,
    UnitStatus,
)
from app.store.runs import reopening
from app.store.tables.statuses import any_of, origins

# A run that has not begun waits for a daemon of its group, as long as there is none. Whatever else could go on has a
# unit that is ready or leased, be it the one that delivers.
STUCK_RUNS: Final = f"""
    select r.id from sync_job_run r
     where r.status in {any_of(BEGUN_RUN_STATUSES)} and r.landing_since is null
           and r.updated_at < now() - make_interval(secs => :stuck_after)
           and not exists (select from unit u where u.run_id = r.id and u.status in {any_of(ACTIVE_UNIT_STATUSES)})
           and not exists (select from unit u where u.run_id = r.id
                           and u.updated_at > now() - make_interval(secs => :stuck_after))
           and (r.begun_at is not null or r.daemon_group_key is null
                or exists (select from daemon d where d.group_key = r.daemon_group_key
                           and d.status = '{DaemonStatus.ACTIVE}'))
"""

_LEFT = text("""
    select u.status, count(*) as units from unit u where u.run_id = :run_id group by u.status order by u.status
""")

_PENDING = text(f"select count(*) from delivery where run_id = :run_id and status = '{DeliveryStatus.PENDING}'")

_WAKE_DELIVERY_UNIT = text(f"""
    update unit set status = '{UnitStatus.READY}', fencing_token = fencing_token + 1, wake_at = null, rung_at = now(),
           updated_at = now()
     where run_id = :run_id and kind = 'delivery'
           and status in {origins(UnitStatus.READY, UnitStatus.IDLE, UnitStatus.DONE, UnitStatus.CANCELLED)}
           and exists (select from delivery d where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}')
""")


def mend(connection: Connection, run_id: str, queue: str) -> list[WakeUp]:
    """Free what waits for nothing: units without an event to wait for, events without a unit that delivers them."""
    connection.execute(_WAKE_DELIVERY_UNIT, {"run_id": run_id})
    return reopening.unblock(connection, run_id, queue)


def describe_remains(connection: Connection, run_id: str) -> str | None:
    """Describe what a run has left that no daemon can work on; None when one can after all."""
    units = {row.status: row.units for row in connection.execute(_LEFT, {"run_id": run_id})}
    if not ACTIVE_UNIT_STATUSES.isdisjoint(units):
        return None
    pending = connection.execute(_PENDING, {"run_id": run_id}).scalar_one()
    shown = ", ".join(f"{count} {status}" for status, count in units.items()) or "none at all"
    return f"units: {shown}; events that wait: {pending}"
