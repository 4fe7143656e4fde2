"""Move a run from one status to the next: always one conditional UPDATE, so a late or doubled move is harmless."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.json_types import JsonObject
from app.engine.status import ResourceStatus, RunStatus, allowed_origins
from app.engine.work import UnitKind
from app.store import tombstones, webhook_changes

# clock_timestamp(), not now(): a stop that waited for a page's lock must not end before that page.
_MOVE = text("""
    update sync_job_run
       set status = :target, updated_at = clock_timestamp(),
           error = case when :target = 'created' then null else coalesce(:error, error) end,
           retry_after = case when :target = 'rate_limited' then cast(:retry_after as timestamptz) end,
           daemon_id = case when :target = 'created' then null else daemon_id end,
           resumes = resumes + case when :target = 'created' then 1 else 0 end,
           rung_at = case when :target = 'created' then now() else rung_at end,
           completed_at = case when :target = 'completed' then coalesce(completed_at, now()) else completed_at end,
           finished_at = case when :is_final then clock_timestamp() end
     where id = :run_id and status = any(:origins)
 returning case when :is_told then array(
               select cast(w.id as text) from webhook w
                where w.environment_id = sync_job_run.environment_id and w.event_types is not null and w.is_active
                      and 'sync_job_run:' || cast(:target as text) = any(w.event_types)
                      and w.id is distinct from sync_job_run.webhook_id) end as watchers
""").bindparams(bindparam("error", type_=JSONB(none_as_null=True)))

_CANCEL_UNITS = text("""
    update unit set status = 'cancelled', fencing_token = fencing_token + 1,
           lease_owner = null, lease_expires_at = null, updated_at = now()
     where run_id = :run_id and kind = :kind and status in ('blocked', 'idle', 'ready', 'leased')
""")

# A stopped run sends nothing more; a failed one still delivers what it had queued, and the failed event.
_CANCEL_DELIVERIES = text("update delivery set status = 'cancelled' where run_id = :run_id and status = 'pending'")

_END_RESOURCES = text("""
    update run_resource set status = :status, finished_at = clock_timestamp()
     where run_id = :run_id and status in ('waiting', 'running')
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
        _cancel_units(connection, run_id, UnitKind.FETCH)
        if target is RunStatus.STOPPED:
            webhook_changes.take_back_waiting(connection, run_id)
            _cancel_units(connection, run_id, UnitKind.DELIVERY)
            connection.execute(_CANCEL_DELIVERIES, {"run_id": run_id})
        if target is RunStatus.COMPLETED:
            tombstones.forget_seen(connection, run_id)
        ended = ResourceStatus.FAILED if target is RunStatus.FAILED else ResourceStatus.STOPPED
        connection.execute(_END_RESOURCES, {"run_id": run_id, "status": ended})
    return moved.watchers or ()


def _cancel_units(connection: Connection, run_id: str, kind: UnitKind) -> None:
    """Cancel a run's units, those too that a page makes while this waits for its lock.

    A statement does not see rows that were committed after it began; once one finds no live unit, nobody is left who
    could make another.
    """
    while connection.execute(_CANCEL_UNITS, {"run_id": run_id, "kind": kind}).rowcount:
        pass
