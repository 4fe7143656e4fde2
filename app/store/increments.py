"""Where increments begin, in Postgres: read from the last completed run of the same kind, held back by unread pages.

``run_resource.next_run_date`` is null where a resource goes on from its run's end, as nearly all do. Else it is what
held it back: the bound that it had asked from, or -infinity for everything.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from app.engine.increments import LowerBounds

# The last run that completed has seen everything up to its own start, told by the upstream's clock where that is known.
# A resource that it did not have asks for everything, and so do its ancestors, which lead to it.
LOWER_BOUNDS: Final = """
    previous as (
        select id, coalesce(upper_bound, started_at) - make_interval(secs => :overlap_seconds) as next_run_date
          from sync_job_run
         where sync_job_id = cast(:sync_job_id as uuid)
               and integrated_account_id = cast(:integrated_account_id as uuid)
               and args_hash = :args_hash and status = 'completed' and not :ignore_previous_run
         order by started_at desc limit 1),
    item as (
        select * from jsonb_to_recordset(cast(:items as jsonb)) item
               (id uuid, position int, last_below int, name text, resource text, method text, parent_name text,
                persist boolean, delete_tracking text)),
    own as (
        select item.id, item.position, item.last_below, item.name,
               case when previous.id is null then null
                    when held.id is null then '-infinity'
                    else coalesce(held.next_run_date, previous.next_run_date) end as bound
          from item left join previous on true
               left join run_resource held
                      on held.run_id = previous.id and held.name = item.name and held.resource = item.resource
                         and held.method = item.method),
    lower_bound as (
        select id, name, nullif(case when last_below = position then bound else (
                   select min(below.bound) from own below where below.position between own.position and own.last_below)
                   end, '-infinity') as bound
          from own)
"""
"""Common table expressions: ``item``, and ``lower_bound`` with the bound of each item of a run that is to be made."""

EARLIEST: Final = "(select nullif(min(bound), '-infinity') from own)"
"""The run's bound, by these expressions."""

LATER: Final = f"(select jsonb_object_agg(name, bound) from lower_bound where bound is distinct from {EARLIEST})"
"""The bounds of the resources that ask from later on than the run, by name."""

_UNREAD = text("""
    select name from run_resource r
     where r.run_id = :run_id
           and (r.skipped > 0 or r.has_gaps
                or exists (
                   select from unit u
                    where u.resource_id = r.id and (u.status = 'cancelled' or u.frontier -> 'failed' is not null)))
""")

_HOLD = text("""
    update run_resource
       set next_run_date = case when name = any(:names) then
               coalesce(run_resource.previous_run_date, run.previous_run_date, '-infinity') end
      from sync_job_run run where run.id = :run_id and run_id = run.id
""")


def unread(connection: Connection, run_id: str) -> Sequence[str]:
    """Name the resources of a run with requests that failed or were never made; a record in quarantine was read."""
    return connection.execute(_UNREAD, {"run_id": run_id}).scalars().all()


def hold(connection: Connection, run_id: str, names: Collection[str]) -> None:
    """Let these resources of the next run ask from where they did, and the others from where this run has ended."""
    connection.execute(_HOLD, {"run_id": run_id, "names": list(names)})


def lower_bounds(run: datetime | None, later: Mapping[str, str | None] | None) -> LowerBounds:
    """Read a run's bounds from its own and JSON by name, where null and the run's own say nothing."""
    read = {name: datetime.fromisoformat(bound) for name, bound in (later or {}).items() if bound is not None}
    return LowerBounds(run=run, own={name: bound for name, bound in read.items() if bound != run})
