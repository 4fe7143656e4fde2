"""Erase what is held of deleted accounts, and records: so many rows in a transaction, counted in the same one."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, insert, text

from app.engine.ids import new_id
from app.engine.objects.accounts import Erasure, ErasureStatus
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import RunStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.records import account_log
from app.store.records.account_log import AFTER_TRIM, TRIM
from app.store.runs.removal import remove_runs

_TABLE = tables.erasure
_RUNS_AT_ONCE: Final = 50

_DUE: Final = text("""
    select * from erasure
     where due_at <= now() and finished_at is null and id <> all(cast(:skipped as uuid[]))
     order by due_at, id limit :limit
""")
_LOCK: Final = text("select id from erasure where id = :id and finished_at is null for update skip locked")
_BEGIN: Final = text("update erasure set started_at = now() where id = :id and started_at is null")
_COUNT: Final = text("""
    update erasure
       set erased = erased || jsonb_build_object(
                        cast(:what as text), coalesce(cast(erased ->> cast(:what as text) as bigint), 0) + :count),
           last_error = null
     where id = :id
""")
_FINISH: Final = text("update erasure set finished_at = now(), last_error = null where id = :id")
_NOTE: Final = text("update erasure set last_error = :error where id = :id and finished_at is null")

_LIVE: Final = text("""
    select id from sync_job_run where integrated_account_id = :account_id and status = any(:live) limit :limit
""")
_RUNS: Final = text("""
    select id from sync_job_run where integrated_account_id = :account_id and status <> all(:live)
     order by created_at, id limit :limit for update skip locked
""")
_HAS_RUNS: Final = text("select exists (select from sync_job_run where integrated_account_id = :account_id)")

_CREDENTIALS: Final = text("delete from deleted_account where id = :account_id")
_TRIGGERS: Final = text("""
    delete from sync_job_cron_trigger where id in (
        select id from sync_job_cron_trigger
         where environment_id = :environment_id and integrated_account_id = :account_id limit :limit)
""")
_STATES: Final = text("""
    delete from sync_job_run_state where id in (
        select s.id from sync_job_run_state s join sync_job_run r on r.id = s.sync_job_run_id
         where s.environment_id = :environment_id and r.integrated_account_id = :account_id limit :limit)
""")
_CALLS: Final = text("""
    delete from direct_call where id in (
        select id from direct_call
         where environment_id = :environment_id and integrated_account_id = :account_id limit :limit)
""")
# That something was changed, when and by whom stays.
_AUDITED: Final = text("""
    update audit_entry set before = null, after = null, remote_address = case actor_kind when 'account' then null
                                                                         else remote_address end
     where id in (
        select id from audit_entry
         where integrated_account_id = :account_id and (before is not null or after is not null) limit :limit)
""")
# Events of no run name the account in their body alone.
_EVENTS: Final = text("""
    delete from delivery where id in (
        select id from delivery
         where run_id is null and position(convert_to(:account_id, 'UTF8') in body) > 0 limit :limit)
""")
# With what was found by them, and told.
_RULES: Final = text("""
    delete from notification_rule where id in (
        select id from notification_rule
         where environment_id = :environment_id and integrated_account_id = :account_id limit :limit)
""")
_INCIDENTS: Final = text("""
    delete from incident where id in (select id from incident where integrated_account_id = :account_id limit :limit)
""")
# A notification names the account in its text.
_NOTIFICATIONS: Final = text("""
    delete from notification where id in (
        select id from notification
         where environment_id = :environment_id and strpos(cast(message as text), cast(:account_id as text)) > 0
         limit :limit)
""")
# What its runs had in common may be their account, or what a person typed of it.
_BULK: Final = text("""
    delete from bulk_action where id in (
        select id from bulk_action
         where environment_id = :environment_id
               and position(cast(:account_id as text) in filters::text) > 0 limit :limit)
""")
# The primary key begins with the webhook: its few values are stepped through.
_TOLD: Final = text("""
    with recursive known as (
        (select webhook_id from webhook_record order by webhook_id limit 1)
        union all
        select (select webhook_id from webhook_record where webhook_id > known.webhook_id order by webhook_id limit 1)
          from known where known.webhook_id is not null)
    delete from webhook_record where ctid = any(array(
        select r.ctid from known join webhook_record r on r.webhook_id = known.webhook_id
         where r.integrated_account_id = cast(:account_id as uuid) limit :limit))
""")
_KEYS: Final = text("delete from record_key where integrated_account_id = :account_id")
_RECORDS: Final = text("""
    delete from record where ctid = any(array(
        select ctid from record where integrated_account_id = :account_id limit :limit))
""")
_LOG: Final = text("""
    with learned as (delete from schema_cursor where integrated_account_id = :account_id),
         counted as (delete from record_count where integrated_account_id = :account_id)
    delete from account_log where integrated_account_id = :account_id
""")

# What a run has written since the request stays.
_RECORDS_OF_RESOURCE: Final = text(f"""
    with old as materialized (
             select integrated_account_id, resource, remote_id, sequence from record
              where integrated_account_id = :account_id and resource = :resource and updated_at <= :until
              limit :limit),
         {TRIM},
         counted as (delete from record_count where integrated_account_id = :account_id)
    delete from record using old
     where {AFTER_TRIM} and record.integrated_account_id = old.integrated_account_id
           and record.resource = old.resource and record.remote_id = old.remote_id
""")

_FIRST: Final[Mapping[str, TextClause]] = {
    "credentials": _CREDENTIALS,
    "sync_job_cron_trigger": _TRIGGERS,
    "sync_job_run_state": _STATES,
    "notification_rule": _RULES,
}
_LAST: Final[Mapping[str, TextClause]] = {
    "record": _RECORDS,
    "record_key": _KEYS,
    "webhook_record": _TOLD,
    "direct_call": _CALLS,
    "delivery": _EVENTS,
    "audit_entry": _AUDITED,
    "incident": _INCIDENTS,
    "notification": _NOTIFICATIONS,
    "bulk_action": _BULK,
}
_STILL_LIVE: Final = [str(status) for status in RunStatus if not status.is_final]


@retry_conflicts
class ErasureStore:
    """The erasures of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_of_resource(self, environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
        """Write an erasure of the records of an account's resource, which is due at once."""
        values = {"environment_id": environment_id, "integrated_account_id": account_id, "resource": resource}
        statement = insert(_TABLE).values(id=new_id(), due_at=text("now()"), **values).returning(_TABLE)
        with self._engine.begin() as connection:
            return _erasure(connection.execute(statement).mappings().one())

    def get(self, environment_id: EnvironmentId, id: str) -> Erasure | None:
        """Read one erasure."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return _erasure(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Erasure]:
        """Read a page of erasures."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _erasure, filters)

    def find_due(self, *, skipped: Sequence[str], limit: int) -> Sequence[Erasure]:
        """List the erasures that are due, but for those to be skipped."""
        with reading(self._engine) as connection:
            rows = connection.execute(_DUE, {"skipped": list(skipped), "limit": limit}).mappings().all()
        return [_erasure(row) for row in rows]

    def record_error(self, id: str, error: str) -> None:
        """Record why an erasure does not continue."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE, {"id": id, "error": error})

    def find_live_runs(self, account_id: str, *, limit: int) -> Sequence[str]:
        """List runs of an account that have not ended."""
        values = {"account_id": account_id, "live": _STILL_LIVE, "limit": limit}
        with reading(self._engine) as connection:
            return [str(id) for id in connection.execute(_LIVE, values).scalars()]

    def begin(self, id: str) -> None:
        """Record that an erasure has begun: destinations read nothing of the account any more."""
        with self._engine.begin() as connection:
            connection.execute(_BEGIN, {"id": id})

    def erase_some(self, erasure: Erasure, *, limit: int, may_finish: bool = True) -> bool:
        """Erase so many rows, and record the end once none is left; return whether there may be more."""
        with self._engine.begin() as connection:
            if connection.execute(_LOCK, {"id": erasure.id}).first() is None:
                return False
            erase = _erase_account if erasure.resource is None else _erase_resource
            erased = erase(connection, erasure, limit)
            for what, count in erased.items():
                connection.execute(_COUNT, {"id": erasure.id, "what": what, "count": count})
            if erased or not may_finish:
                return bool(erased)
            if erasure.resource is None:
                # A run that could not be ended yet is tried again later.
                if connection.execute(_HAS_RUNS, {"account_id": erasure.integrated_account_id}).scalar_one():
                    return False
                connection.execute(_LOG, {"account_id": erasure.integrated_account_id})
            connection.execute(_FINISH, {"id": erasure.id})
        return False


def _erase_account(connection: Connection, erasure: Erasure, limit: int) -> Mapping[str, int]:
    """Erase rows of the first kind that has some: first what brings new ones, and the records after the runs."""
    values = {
        "account_id": erasure.integrated_account_id,
        "environment_id": erasure.environment_id,
        "limit": limit,
    }
    return (
        _first_of(connection, _FIRST, values)
        or _erase_runs(connection, erasure.integrated_account_id, limit)
        or _first_of(connection, _LAST, values)
    )


def _first_of(
    connection: Connection, statements: Mapping[str, TextClause], values: Mapping[str, object]
) -> Mapping[str, int]:
    for what, statement in statements.items():
        if count := connection.execute(statement, values).rowcount:
            return {what: count}
    return {}


def _erase_runs(connection: Connection, account_id: str, limit: int) -> Mapping[str, int]:
    values = {"account_id": account_id, "live": _STILL_LIVE, "limit": _RUNS_AT_ONCE}
    run_ids = [str(id) for id in connection.execute(_RUNS, values).scalars()]
    return remove_runs(connection, run_ids, limit=limit) if run_ids else {}


def _erase_resource(connection: Connection, erasure: Erasure, limit: int) -> Mapping[str, int]:
    # Other writers of the account's records have ended by then, or come after.
    account_log.allocate(connection, erasure.integrated_account_id, 0)
    values = {
        "account_id": erasure.integrated_account_id,
        "resource": erasure.resource,
        "until": erasure.created_at,
        "limit": limit,
    }
    count = connection.execute(_RECORDS_OF_RESOURCE, values).rowcount
    return {"record": count} if count else {}


def _erasure(row: Row) -> Erasure:
    return build_object(Erasure, row, status=_status(row))


def _status(row: Row) -> ErasureStatus:
    if row["finished_at"] is not None:
        return ErasureStatus.ERASED
    return ErasureStatus.WAITING if row["started_at"] is None else ErasureStatus.ERASING
