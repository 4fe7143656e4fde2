"""Open a run that has ended again: what it had not done, and what had failed, becomes work once more.

All of it happens under the run's lock and in one transaction. Units that were cancelled get another fencing token, so
that workers of before the end stay fenced off.
"""

from sqlalchemy import Connection, text

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import WakeUp
from app.engine.status import ACTIVE_UNIT_STATUSES, DeliveryStatus, ResourceStatus, UnitStatus
from app.store.tables.statuses import any_of, origins
from app.store.units.spells import end_spell

_HAS_FAILED = text("select exists(select from unit where run_id = :run_id and frontier -> 'failed' is not null)")

# The elements that failed move to a unit of their own, each open at the cursor where it failed; the old unit keeps
# what it has not done, for this resume or a later one. A cursor may have expired since: its list may restart once more.
_RETRY_FAILED = text(f"""
    with failed as (
        select unit.id, unit.run_id, unit.resource_id, unit.elements -> entry.key::int as element,
               case jsonb_typeof(entry.value)
                    when 'object' then entry.value - 'restarts' else entry.value end as cursor,
               row_number() over (partition by unit.id order by entry.key::int) - 1 as position
          from unit, jsonb_each(unit.frontier -> 'failed') entry
         where unit.run_id = :run_id and unit.frontier -> 'failed' is not null),
    retried as (
        insert into unit (id, run_id, resource_id, kind, status, elements, frontier)
        select gen_random_uuid(), run_id, resource_id, 'fetch', '{UnitStatus.BLOCKED}',
               jsonb_agg(element order by position),
               jsonb_build_object('next', count(*), 'open', jsonb_object_agg(position::text, cursor))
          from failed group by id, run_id, resource_id),
    cleared as (
        update unit set frontier = frontier - 'failed', updated_at = now()
         where run_id = :run_id and frontier -> 'failed' is not null)
    select resource_id, count(*) as requests from failed group by resource_id
""")

# The children that a failed request kept from being made come back with it.
_COUNT_RETRIED = text("""
    update run_resource
       set retried = retried + case when id = :resource_id then :requests else 0 end,
           skipped = skipped - case when id = :resource_id then 0 else :requests end
     where run_id = :run_id
           and (id = :resource_id or parent_name = (select name from run_resource where id = :resource_id))
""")

_REOPEN_UNITS = text(f"""
    update unit
       set status = '{UnitStatus.BLOCKED}', fencing_token = fencing_token + 1, attempts = 0, idle_slices = 0,
           wake_at = null, rung_at = now(), updated_at = now(), {end_spell(f"'{SpellEnd.ENDED}'", "updated_at")}
     where run_id = :run_id and kind = 'fetch'
           and status in {origins(UnitStatus.BLOCKED, UnitStatus.CANCELLED, UnitStatus.FAILED)}
""")

_REOPEN_DELIVERY_UNIT = text(f"""
    update unit
       set status = case when status in {any_of(ACTIVE_UNIT_STATUSES)} then status else '{UnitStatus.READY}' end,
           fencing_token = fencing_token + case when status in {any_of(ACTIVE_UNIT_STATUSES)} then 0 else 1 end,
           attempts = case when status = '{UnitStatus.LEASED}' then attempts else 0 end, idle_slices = 0,
           wake_at = null, rung_at = now(), updated_at = now()
     where run_id = :run_id and kind = 'delivery'
""")

# What a stop kept back, and a started event that the receiver would not take: without it the run must not fetch.
_REOPEN_DELIVERIES = text(f"""
    update delivery set status = '{DeliveryStatus.PENDING}', attempts = 0, created_at = now()
     where run_id = :run_id
           and (status in {origins(DeliveryStatus.PENDING, DeliveryStatus.CANCELLED)}
                or status in {origins(DeliveryStatus.PENDING, DeliveryStatus.DEAD_LETTERED)}
                   and event = 'sync_job_run:started')
""")

_REOPEN_RESOURCES = text(f"""
    with recursive open as (
        select r.id, r.name from run_resource r
         where r.run_id = :run_id
               and (r.status = any(:statuses)
                    or exists (select from unit u where u.resource_id = r.id and u.status = '{UnitStatus.BLOCKED}'))
        union
        select child.id, child.name from run_resource child join open on child.parent_name = open.name
         where child.run_id = :run_id)
    update run_resource
       set status = case when started_at is null then '{ResourceStatus.WAITING}' else '{ResourceStatus.RUNNING}' end,
           finished_at = null
      from open where run_resource.id = open.id
""")

_UNBLOCK = text(f"""
    update unit set status = '{UnitStatus.READY}', wake_at = null, rung_at = now(), updated_at = now()
     where run_id = :run_id and status in {origins(UnitStatus.READY, UnitStatus.BLOCKED)}
           and not exists (select from delivery d where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}')
 returning id
""")

_DELIVERY_UNIT = text(
    f"select id from unit where run_id = :run_id and kind = 'delivery' and status = '{UnitStatus.READY}'"
)


def has_failed_requests(connection: Connection, run_id: str) -> bool:
    """Whether requests of the run failed for good, and were not made again since."""
    return bool(connection.execute(_HAS_FAILED, {"run_id": run_id}).scalar_one())


def reopen(connection: Connection, run_id: str, *, errors_only: bool) -> None:
    """Make work of what failed, and unless ``errors_only`` of what was never done, blocked until the run starts."""
    parameters = {"run_id": run_id}
    for resource_id, requests in connection.execute(_RETRY_FAILED, parameters).all():
        connection.execute(_COUNT_RETRIED, {**parameters, "resource_id": resource_id, "requests": requests})
    if not errors_only:
        connection.execute(_REOPEN_UNITS, parameters)
    connection.execute(_REOPEN_DELIVERY_UNIT, parameters)
    connection.execute(_REOPEN_DELIVERIES, parameters)
    statuses = [] if errors_only else [ResourceStatus.FAILED, ResourceStatus.STOPPED]
    connection.execute(_REOPEN_RESOURCES, {**parameters, "statuses": statuses})


def unblock(connection: Connection, run_id: str, queue: str) -> list[WakeUp]:
    """Unblock the units of a run that nothing holds back: no event of it waits. List those to wake."""
    parameters = {"run_id": run_id}
    freed = connection.execute(_UNBLOCK, parameters).scalars().all()
    delivering = connection.execute(_DELIVERY_UNIT, parameters).scalars().all()
    return [WakeUp(run_id=run_id, unit_id=str(unit_id), queue=queue) for unit_id in [*delivering, *freed]]
