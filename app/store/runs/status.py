"""Move a run from one status to the next: always one conditional UPDATE, so a late or doubled move is harmless."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.json_types import JsonObject
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import UnitKind
from app.engine.status import DeliveryStatus, ResourceStatus, RunStatus, UnitStatus, allowed_origins
from app.store.records import tombstones, webhook_records
from app.store.tables.statuses import origins
from app.store.units.spells import end_spell

_HAS_ERRORS = "exists (select from run_resource r where r.run_id = sync_job_run.id and r.errors > r.retried)"

# clock_timestamp(), not now(): a stop that waited for a page's lock must not end before that page.
_MOVE = text(f"""
    update sync_job_run
       set status = :target, updated_at = clock_timestamp(),
           error = case when :target = '{RunStatus.CREATED}' then null else coalesce(:error, error) end,
           retry_after = case when :target = '{RunStatus.RATE_LIMITED}' then cast(:retry_after as timestamptz) end,
           daemon_id = case when :target = '{RunStatus.CREATED}' then null else daemon_id end,
           resumes = resumes + case when :target = '{RunStatus.CREATED}' then 1 else 0 end,
           rung_at = case when :target = '{RunStatus.CREATED}' then now() else rung_at end,
           landing_since = case when :target <> '{RunStatus.CREATED}' then landing_since end,
           completed_at = case when :target = '{RunStatus.COMPLETED}' then coalesce(completed_at, now())
           else completed_at end,
           finished_at = case when :is_final then clock_timestamp() end,
           has_errors = :is_final and {_HAS_ERRORS}
     where id = :run_id and status = any(:origins)
 returning case when :is_told then array(
               select cast(w.id as text) from webhook w
                where w.environment_id = sync_job_run.environment_id and w.event_types is not null and w.is_active
                      and 'sync_job_run:' || cast(:target as text) = any(w.event_types)
                      and w.id is distinct from sync_job_run.webhook_id) end as watchers
""").bindparams(bindparam("error", type_=JSONB(none_as_null=True)))

# What a page that was under way has counted until the end of its run's work.
_COUNT_ERRORS = text(
    f"update sync_job_run set has_errors = true where id = :run_id and not has_errors and {_HAS_ERRORS}"
)

_CANCEL = f"""
    update unit set status = '{UnitStatus.CANCELLED}', fencing_token = fencing_token + 1,
           lease_owner = null, lease_expires_at = null, updated_at = now(), {end_spell(f"'{SpellEnd.ENDED}'")}
     where run_id = :run_id and kind = '{{kind}}' and status in {origins(UnitStatus.CANCELLED)}
"""
_CANCEL_FETCHING = text(_CANCEL.format(kind=UnitKind.FETCH))
_CANCEL_DELIVERING = text(_CANCEL.format(kind=UnitKind.DELIVERY))

# A stopped run sends nothing more; a failed one still delivers what it had queued, and the failed event.
_CANCEL_DELIVERIES = text(f"""
    update delivery set status = '{DeliveryStatus.CANCELLED}'
     where run_id = :run_id and status in {origins(DeliveryStatus.CANCELLED)}
""")

# Units before resources, as everybody locks them; the others wait for the count.
_END_WORK = text(f"""
    with cancelled as ({_CANCEL.format(kind=UnitKind.FETCH)} returning id),
         found as (select count(*) as units from cancelled),
         ended as (
        update run_resource set status = :status, finished_at = clock_timestamp() from found
         where run_id = :run_id and run_resource.status in {origins(ResourceStatus.STOPPED)} and found.units >= 0)
    select units from found
""")


def move(
    connection: Connection,
    run_id: str,
    target: RunStatus,
    *,
    error: JsonObject | None = None,
    retry_after: datetime | None = None,
) -> Sequence[str] | None:
    """Move the run and end what is left of it; list the other webhooks that named this end's event. None: it stays."""
    # Only take_up, which minds mutexes, starts a created run.
    origins = allowed_origins(target) - ({RunStatus.CREATED} if target is RunStatus.RUNNING else frozenset())
    parameters = {
        "run_id": run_id,
        "target": target,
        "error": error,
        "retry_after": retry_after,
        "is_final": target.is_final,
        "is_told": target in (RunStatus.COMPLETED, RunStatus.FAILED),
        "origins": [str(origin) for origin in origins],
    }
    moved = connection.execute(_MOVE, parameters).one_or_none()
    if moved is None:
        return None
    if target.is_final:
        if target is RunStatus.STOPPED:
            webhook_records.lock_of_run(connection, run_id)
            _cancel_all(connection, run_id, _CANCEL_FETCHING)
            webhook_records.withdraw_waiting(connection, run_id)
            _cancel_all(connection, run_id, _CANCEL_DELIVERING)
            connection.execute(_CANCEL_DELIVERIES, {"run_id": run_id})
        if target is RunStatus.COMPLETED:
            tombstones.remove_seen(connection, run_id)
        _end_work(connection, run_id, ResourceStatus.FAILED if target is RunStatus.FAILED else ResourceStatus.STOPPED)
        if target is not RunStatus.COMPLETED:
            connection.execute(_COUNT_ERRORS, {"run_id": run_id})
    return moved.watchers or ()


def _end_work(connection: Connection, run_id: str, status: ResourceStatus) -> None:
    """Set this status on a run's resources that have not ended, and cancel what they have left to fetch.

    Also the units that a page makes while this waits for its lock: a statement does not see rows that were committed
    after it began. Once one finds no live unit, nobody is left who could make another.
    """
    while connection.execute(_END_WORK, {"run_id": run_id, "status": status}).scalar_one():
        pass


def _cancel_all(connection: Connection, run_id: str, cancel: TextClause) -> None:
    """Cancel a run's units of one kind, as ``_end_work`` does."""
    while connection.execute(cancel, {"run_id": run_id}).rowcount:
        pass
