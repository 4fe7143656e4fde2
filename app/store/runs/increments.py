"""Where increments begin, in Postgres: read from the last completed run of the same kind, held back by unread pages.

``run_resource.next_run_date`` is null where a resource goes on from its run's end, as nearly all do. Else it is what
held it back: the bound that it had asked from, or the year 1 for everything (psycopg can not read -infinity).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from app.engine.status import RunStatus, UnitStatus
from app.store.db.autocommit import Autocommit

# The last run that completed has seen everything up to its own start, by the upstream's clock where that is known.
# A resource that it did not have asks for everything, and so do its ancestors, which lead to it. The limit has each row
# found by its key: without statistics Postgres would rather read all that the table has.
LOWER_BOUNDS: Final = f"""
    previous as (
        select id, coalesce(upper_bound, started_at) - make_interval(secs => :overlap_seconds) as next_run_date
          from sync_job_run
         where sync_job_id = cast(:sync_job_id as uuid)
               and integrated_account_id = cast(:integrated_account_id as uuid)
               and args_hash = :args_hash and status = '{RunStatus.COMPLETED}' and not :ignore_previous_run
         order by started_at desc limit 1),
    own as (
        select item.*, case when previous.id is null then null
                            when held.is_there is null then '0001-01-01 UTC'
                            else coalesce(held.next_run_date, previous.next_run_date) end as bound
          from jsonb_to_recordset(cast(:items as jsonb)) item
               (id uuid, position int, last_below int, name text, resource text, method text, parent_name text,
                persist boolean, delete_tracking text)
               left join previous on true
               left join lateral (
               select true as is_there, next_run_date from run_resource
                where run_id = previous.id and name = item.name and resource = item.resource and method = item.method
                limit 1) held on true),
    spread as (
        select nullif(min(bound), '0001-01-01 UTC') as earliest, min(bound) is distinct from max(bound) as is_mixed
          from own),
    item as (
        select own.*, nullif(case when last_below = position or not is_mixed then bound else (
                   select min(below.bound) from own below where below.position between own.position and own.last_below)
                   end, '0001-01-01 UTC') as lower_bound
          from own, spread)
"""
"""Common table expressions of a run that is to be made.

``item`` has its items, each with its ``lower_bound``; ``spread`` the ``earliest`` of these, and whether they differ.
"""

_OWN = text("select name, previous_run_date as lower_bound from run_resource where run_id = :run_id")

_UNREAD = text(f"""
    select name from run_resource r
     where r.run_id = :run_id
           and (r.skipped > 0 or r.has_gaps
                or exists (
                   select from unit u
                    where u.resource_id = r.id
                          and (u.status = '{UnitStatus.CANCELLED}' or u.frontier -> 'failed' is not null)))
""")

_HOLD = text("""
    update run_resource
       set next_run_date = case when name = any(:names) then
               coalesce(run_resource.previous_run_date, run.previous_run_date, '0001-01-01 UTC') end
      from sync_job_run run where run.id = :run_id and run_id = run.id
""")


def find_unread(connection: Connection, run_id: str) -> Sequence[str]:
    """List the resources of a run with requests that failed or were never made; a record in quarantine was read."""
    return connection.execute(_UNREAD, {"run_id": run_id}).scalars().all()


def hold(connection: Connection, run_id: str, names: Collection[str]) -> None:
    """Make the next run request these resources from where this one did, and the others from where this run ended."""
    connection.execute(_HOLD, {"run_id": run_id, "names": list(names)})


def read_own(autocommit: Autocommit, run_id: str) -> dict[str, datetime | None]:
    """Read the lower bound of each resource of a run."""
    return {row["name"]: row["lower_bound"] for row in autocommit.all(_OWN, {"run_id": run_id})}


def read_own_within(connection: Connection, run_id: str) -> dict[str, datetime | None]:
    """Read the same within the caller's transaction."""
    return {row.name: row.lower_bound for row in connection.execute(_OWN, {"run_id": run_id})}
