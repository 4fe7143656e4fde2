"""Remove what is over, by indexes and in small transactions; locks in the order of all others, never waiting long."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine, TextClause, column, text

from app.engine.status import DaemonStatus, DeliveryStatus, RunStatus
from app.services.maintenance.ports import ExpiredRun, PrunedRuns
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.records.account_log import AFTER_TRIM, TRIM
from app.store.runs.removal import remove_runs
from app.store.tables.base import uuid_type

_BEGIN: Final = "now() - make_interval(secs => :seconds)"


def _delete(table: str, where: str, *, order: str = "created_at, id") -> TextClause:
    return text(f"""
        delete from {table} where id in (
            select id from {table} where {where} order by {order} limit :limit offset :skip for update skip locked)
    """)  # of constants


_KINDS: Final[Mapping[str, TextClause]] = {
    "bodies": text(f"""
        with old as materialized (
                 select id, integrated_account_id, log_sequence as sequence from delivery
                  where status = '{DeliveryStatus.DELIVERED}' and octet_length(body) > 0
                        and delivered_at < now() - make_interval(secs => :seconds)
                  order by delivered_at, id limit :limit offset :skip),
             {TRIM}
        update delivery set body = '' from old where delivery.id = old.id and {AFTER_TRIM}
    """),
    "tombstones": text(f"""
        with old as materialized (
                 select integrated_account_id, resource, remote_id, sequence from record
                  where deleted_at < now() - make_interval(secs => :seconds)
                  order by deleted_at, integrated_account_id, resource, remote_id limit :limit offset :skip),
             {TRIM}
        delete from record using old
         where {AFTER_TRIM} and record.integrated_account_id = old.integrated_account_id
               and record.resource = old.resource and record.remote_id = old.remote_id
               and record.deleted_at < now() - make_interval(secs => :seconds)
    """),
    "keys": text("""
        delete from idempotency_key using (
            select environment_id, key from idempotency_key where created_at < now() - interval '24 hours'
             order by created_at, environment_id, key limit :limit offset :skip for update skip locked) old
         where idempotency_key.environment_id = old.environment_id and idempotency_key.key = old.key
    """),
    "messages": _delete(
        "outbox",
        f"""created_at < now() - interval '1 day'
            and not exists (select from sync_job_run r where r.id::text = outbox.args ->> 0
                            and r.status = '{RunStatus.CREATED}')""",
        order="id",
    ),
    "daemons": _delete("daemon", f"status = '{DaemonStatus.STOPPED}' and updated_at < {_BEGIN}", order="id"),
    "fires": _delete("cron_trigger_fire", f"created_at < {_BEGIN}"),
    "calls": _delete("direct_call", f"created_at < {_BEGIN}"),
    "audit entries": text(f"""
        delete from audit_entry where id in (
            select id from audit_entry
             where id = any(array(
                   select old.id from environment e cross join lateral (
                          select id, created_at from audit_entry
                           where environment_id = e.id and created_at < {_BEGIN}
                           order by created_at, id limit :limit + :skip) old
                    order by old.created_at, old.id limit :limit offset :skip))
               for update skip locked)
    """),
    "announcements": _delete(
        "delivery", f"run_id is null and created_at < {_BEGIN} and status <> '{DeliveryStatus.PENDING}'"
    ),
    "notifications": _delete(
        "notification", f"created_at < {_BEGIN} and (sent_at is not null or given_up_at is not null)"
    ),
    "incidents": _delete("incident", f"closed_at < {_BEGIN}", order="closed_at, id"),
    "told": text("""
        delete from webhook_record where ctid in (
            select ctid from webhook_record where deleted_at < now() - make_interval(secs => :seconds)
             order by deleted_at, webhook_id, integrated_account_id, resource, remote_id
             limit :limit offset :skip for update skip locked)
    """),
    # The primary key begins with the webhook: its few values are stepped through. Runs of a webhook that was deleted
    # write some more until they end.
    "told to nobody": text("""
        with recursive known as (
            (select webhook_id from webhook_record order by webhook_id limit 1)
            union all
            select (select webhook_id from webhook_record where webhook_id > known.webhook_id
                     order by webhook_id limit 1)
              from known where known.webhook_id is not null)
        delete from webhook_record where ctid = any(array(
            select r.ctid from known join webhook_record r on r.webhook_id = known.webhook_id
             where not exists (select from webhook where webhook.id = known.webhook_id)
             limit :limit offset :skip for update of r skip locked))
    """),
}

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

    def prune(self, kind: str, *, limit: int, skip: int = 0, seconds: float = 0.0) -> int:
        """Remove some rows of a kind that are over, or that old; return how many."""
        with self._engine.begin() as connection:
            return connection.execute(_KINDS[kind], {"limit": limit, "skip": skip, "seconds": seconds}).rowcount

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
