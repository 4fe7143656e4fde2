"""Remove what is over, by indexes and in small transactions; locks in the order of all others, never waiting long."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine, TextClause, column, text

from app.engine.json_types import JSON
from app.engine.status import DaemonStatus, DeliveryStatus, RunStatus
from app.services.maintenance.ports import ExpiredRun, PrunedRuns
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.records.account_log import AFTER_TRIM, TRIM
from app.store.runs.removal import remove_runs
from app.store.tables.base import uuid_type

_BODIES: Final = text(f"""
    with old as materialized (
             select id, integrated_account_id, log_sequence as sequence from delivery
              where status = '{DeliveryStatus.DELIVERED}' and octet_length(body) > 0
                    and delivered_at < now() - make_interval(secs => :seconds)
              order by delivered_at, id limit :limit offset :skip),
         {TRIM}
    update delivery set body = '' from old where delivery.id = old.id and {AFTER_TRIM}
""")

_TOMBSTONES: Final = text(f"""
    with old as materialized (
             select integrated_account_id, resource, remote_id, sequence from record
              where deleted_at < now() - make_interval(secs => :seconds)
              order by deleted_at, integrated_account_id, resource, remote_id limit :limit offset :skip),
         {TRIM}
    delete from record using old
     where {AFTER_TRIM} and record.integrated_account_id = old.integrated_account_id
           and record.resource = old.resource and record.remote_id = old.remote_id
           and record.deleted_at < now() - make_interval(secs => :seconds)
""")

_KEYS: Final = text("""
    delete from idempotency_key using (
        select environment_id, key from idempotency_key where created_at < now() - interval '24 hours'
         order by created_at, environment_id, key limit :limit offset :skip for update skip locked) old
     where idempotency_key.environment_id = old.environment_id and idempotency_key.key = old.key
""")

_MESSAGES: Final = text(f"""
    delete from outbox where id in (
        select id from outbox o
         where created_at < now() - interval '1 day'
               and not exists (select from sync_job_run r where r.id::text = o.args ->> 0
               and r.status = '{RunStatus.CREATED}')
         order by id limit :limit offset :skip for update skip locked)
""")

_DAEMONS: Final = text(f"""
    delete from daemon where id in (
        select id from daemon where status = '{DaemonStatus.STOPPED}'
               and updated_at < now() - make_interval(secs => :seconds)
         order by id limit :limit offset :skip for update skip locked)
""")

_FIRES: Final = text("""
    delete from cron_trigger_fire where id in (
        select id from cron_trigger_fire where created_at < now() - make_interval(secs => :seconds)
         order by created_at, id limit :limit offset :skip for update skip locked)
""")

_CALLS: Final = text("""
    delete from direct_call where id in (
        select id from direct_call where created_at < now() - make_interval(secs => :seconds)
         order by created_at, id limit :limit offset :skip for update skip locked)
""")

_AUDIT_ENTRIES: Final = text("""
    delete from audit_entry where id in (
        select id from audit_entry
         where id = any(array(
               select old.id from environment e cross join lateral (
                      select id, created_at from audit_entry
                       where environment_id = e.id and created_at < now() - make_interval(secs => :seconds)
                       order by created_at, id limit :limit + :skip) old
                order by old.created_at, old.id limit :limit offset :skip))
           for update skip locked)
""")

_ANNOUNCEMENTS: Final = text(f"""
    delete from delivery where id in (
        select id from delivery
         where run_id is null and created_at < now() - make_interval(secs => :seconds)
               and status <> '{DeliveryStatus.PENDING}'
         order by created_at, id limit :limit offset :skip for update skip locked)
""")

_NOTIFICATIONS: Final = text("""
    delete from notification where id in (
        select id from notification
         where created_at < now() - make_interval(secs => :seconds)
               and (sent_at is not null or given_up_at is not null)
         order by created_at, id limit :limit offset :skip for update skip locked)
""")

_INCIDENTS: Final = text("""
    delete from incident where id in (
        select id from incident where closed_at < now() - make_interval(secs => :seconds)
         order by closed_at, id limit :limit offset :skip for update skip locked)
""")

_TOLD: Final = text("""
    delete from webhook_record where ctid in (
        select ctid from webhook_record where deleted_at < now() - make_interval(secs => :seconds)
         order by deleted_at, webhook_id, integrated_account_id, resource, remote_id
         limit :limit offset :skip for update skip locked)
""")

# The primary key begins with the webhook: its few values are stepped through. Runs of a webhook that was deleted write
# some more until they end.
_TOLD_TO_NOBODY: Final = text("""
    with recursive known as (
        (select webhook_id from webhook_record order by webhook_id limit 1)
        union all
        select (select webhook_id from webhook_record where webhook_id > known.webhook_id order by webhook_id limit 1)
          from known where known.webhook_id is not null)
    delete from webhook_record where ctid = any(array(
        select r.ctid from known join webhook_record r on r.webhook_id = known.webhook_id
         where not exists (select from webhook where webhook.id = known.webhook_id)
         limit :limit offset :skip for update of r skip locked))
""")

# The last completed run of a job, an account and the same args stays: the next increment begins where it began. So does
# one that a state names: by it alone an erasure knows whose state it is.
_EXPIRED: Final = text(f"""
    with old as (
        select r.* from environment e cross join lateral (
               select * from sync_job_run ended
                where ended.environment_id = e.id and ended.finished_at < now() - make_interval(secs => :seconds)
                      and (cast(:after_time as timestamptz) is null
                           or (ended.finished_at, ended.id)
                               > (cast(:after_time as timestamptz), cast(:after_id as uuid)))
                order by ended.finished_at, ended.id limit :limit) r
         order by r.finished_at, r.id limit :limit)
    select r.id, r.finished_at,
           not exists (select from delivery d where d.run_id = r.id and d.status = '{DeliveryStatus.PENDING}')
           and not exists (select from sync_job_run_state s where s.sync_job_run_id = r.id)
           and (r.status <> '{RunStatus.COMPLETED}' or exists (
                select from sync_job_run later
                 where later.sync_job_id = r.sync_job_id and later.integrated_account_id = r.integrated_account_id
                       and later.args_hash = r.args_hash and later.status = '{RunStatus.COMPLETED}'
                       and later.started_at > r.started_at)) as may_go
      from old r order by r.finished_at, r.id
""")

# A resume waits, or was first: then the run has no end any more. The same holds for events that are sent again.
_LOCK_EXPIRED: Final = text(f"""
    select id from sync_job_run r
     where id = any(cast(:run_ids as uuid[])) and finished_at < now() - make_interval(secs => :seconds)
           and not exists (select from delivery d where d.run_id = r.id and d.status = '{DeliveryStatus.PENDING}')
     order by id for update of r skip locked
""").columns(column("id", uuid_type))


@retry_conflicts
class RetentionStore:
    """What is over, in all tables."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def prune_bodies(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Empty the bodies of events that were delivered so long ago; what stays is that they were."""
        return self._forget(_BODIES, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_tombstones(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove records that were marked as deleted so long ago."""
        return self._forget(_TOMBSTONES, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_keys(self, *, limit: int, skip: int = 0) -> int:
        """Remove idempotency keys that have expired."""
        return self._forget(_KEYS, {"limit": limit, "skip": skip})

    def prune_messages(self, *, limit: int, skip: int = 0) -> int:
        """Remove promised messages about runs that no longer wait for one."""
        return self._forget(_MESSAGES, {"limit": limit, "skip": skip})

    def prune_daemons(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove daemons that stopped so long ago."""
        return self._forget(_DAEMONS, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_occurrences(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove the outcomes of triggers' due times of so long ago."""
        return self._forget(_FIRES, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_calls(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove direct calls that were made so long ago."""
        return self._forget(_CALLS, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_audit_entries(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove entries of the audit log of so long ago."""
        return self._forget(_AUDIT_ENTRIES, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_announcements(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove events of no run that ended so long ago."""
        return self._forget(_ANNOUNCEMENTS, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_notifications(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove notifications that were written so long ago, and sent or given up."""
        return self._forget(_NOTIFICATIONS, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_incidents(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove incidents that were over so long ago."""
        return self._forget(_INCIDENTS, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_vanished(self, *, seconds: float, limit: int, skip: int = 0) -> int:
        """Remove what webhooks know of records that vanished so long ago."""
        return self._forget(_TOLD, {"seconds": seconds, "limit": limit, "skip": skip})

    def prune_told_to_nobody(self, *, limit: int, skip: int = 0) -> int:
        """Remove what webhooks were told that were deleted since."""
        return self._forget(_TOLD_TO_NOBODY, {"limit": limit, "skip": skip})

    def find_expired_runs(
        self, *, seconds: float, after: tuple[object, str] | None, limit: int
    ) -> Sequence[ExpiredRun]:
        """List runs that ended so long ago, oldest first, on from a place."""
        time, id = after or (None, None)
        parameters = {"seconds": seconds, "after_time": time, "after_id": id, "limit": limit}
        with reading(self._engine) as connection:
            return [
                ExpiredRun(id=str(row.id), place=(row.finished_at, str(row.id)), may_go=row.may_go)
                for row in connection.execute(_EXPIRED, parameters)
            ]

    def prune_runs(self, run_ids: Sequence[str], *, seconds: float, limit: int) -> PrunedRuns:
        """Remove so many rows of runs, and last the runs themselves; one that lives again is left as it is."""
        with self._engine.begin() as connection:
            locked = connection.execute(_LOCK_EXPIRED, {"run_ids": list(run_ids), "seconds": seconds}).scalars().all()
            removed = remove_runs(connection, locked, limit=limit) if locked else {"sync_job_run": 0}
        return PrunedRuns(rows=sum(removed.values()), is_done="sync_job_run" in removed)

    def _forget(self, statement: TextClause, parameters: Mapping[str, JSON]) -> int:
        with self._engine.begin() as connection:
            return connection.execute(statement, parameters).rowcount
