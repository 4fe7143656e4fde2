"""The keys by which the records of jobs are held: recorded as runs start, replaced by a run that saw all records."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, text

from app.engine.jobs.item_keys import KeyNote
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.runs.work import Pass
from app.services.catalog.key_changes import Holding
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.records import account_log

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The webhook of records that are persisted."""

_OF_OTHERS: Final = """
    exists (select from sync_job_run other join run_resource own on own.run_id = other.id
             where other.integrated_account_id = run.integrated_account_id and own.persist
                   and own.resource = {resource} and other.webhook_id is not distinct from run.webhook_id
                   and {differs})
"""

# Of several runs that begin at once each adds its keys.
NOTE: Final = f"""
        insert into record_key (integrated_account_id, resource, webhook_id, sync_job_id, keys, args_hash, is_shared,
                                changed_at)
        select run.integrated_account_id, note.resource, coalesce(run.webhook_id, '{NOBODY}'), run.sync_job_id,
               note.keys, run.args_hash,
               {
    _OF_OTHERS.format(
        resource="note.resource", differs="other.sync_job_id = run.sync_job_id and other.args_hash <> run.args_hash"
    )
},
               case when note.is_changed then now() end
          from begun join sync_job_run run on run.id = begun.id,
               unnest(cast(:key_resources as text[]), cast(:keys as jsonb[]), cast(:are_changed as boolean[]))
               note (resource, keys, is_changed)
            on conflict (integrated_account_id, resource, webhook_id, sync_job_id) do update
           set keys = (select jsonb_agg(distinct key) from jsonb_array_elements(record_key.keys || excluded.keys) key),
               is_shared = record_key.is_shared or record_key.args_hash <> excluded.args_hash,
               changed_at = coalesce(record_key.changed_at, excluded.changed_at)
"""
"""Record the keys of a run that begins, which ``begun`` names."""

_NOTE: Final = text(f"with begun as (select cast(:run_id as uuid) as id) {NOTE}")

_REKEY: Final = text("""
    update run_resource set rekeying = cast(:rekeying as jsonb) where run_id = :run_id and name = :name
""")

_PLACE: Final = """
    record_key.integrated_account_id = :account_id and record_key.resource = :resource
    and record_key.webhook_id = coalesce(cast(:webhook_id as uuid), cast(:nobody as uuid))
"""

_LOCK: Final = text(f"""
    select record_key.keys, record_key.is_shared,
           exists (select from record_key where {_PLACE} and sync_job_id <> run.sync_job_id)
           or {_OF_OTHERS.format(resource=":resource", differs="other.sync_job_id <> run.sync_job_id")} as has_others
      from record_key join sync_job_run run on run.id = :run_id and run.sync_job_id = record_key.sync_job_id
     where {_PLACE} for no key update of record_key
""")

_HAS_OLD: Final = text("""
    select exists (select from record_key join record using (integrated_account_id, resource)
                    where record_key.sync_job_id = (select sync_job_id from sync_job_run where id = :run_id)
                          and record_key.webhook_id = cast(:nobody as uuid)
                          and integrated_account_id = :account_id and resource = :resource
                          and record.deleted_at is null and record.created_at < record_key.changed_at)
""")

_SET: Final = text(f"""
    update record_key
       set keys = cast(:keys as jsonb), changed_at = case when keys = cast(:keys as jsonb) then changed_at end
     where {_PLACE} and sync_job_id = (select sync_job_id from sync_job_run where id = :run_id)
""")


def values_of(notes: Sequence[KeyNote]) -> dict[str, object]:
    """Return what ``NOTE`` takes."""
    return {
        "key_resources": [note.resource for note in notes],
        "keys": [json.dumps(list(note.keys)) for note in notes],
        "are_changed": [bool(note.rekeyings) for note in notes],
    }


def write(connection: Connection, run_id: str, notes: Sequence[KeyNote]) -> None:
    """Record by which keys a run writes its records; it keeps those that replace others to its end."""
    if not notes:
        return
    connection.execute(_NOTE, {**values_of(notes), "run_id": run_id})
    for note in notes:
        for name, rekeying in note.rekeyings.items():
            values = {"run_id": run_id, "name": name, "rekeying": json.dumps(rekeying.to_json())}
            connection.execute(_REKEY, values)


def lock(connection: Connection, ended: Pass) -> JsonObject | None:
    """Read ``{keys, is_shared, has_others}`` of a pass, which nobody changes before the transaction ends.

    The account's log is locked before: nobody else writes records meanwhile.
    """
    account_log.allocate(connection, ended.account_id, 0)
    row = connection.execute(_LOCK, {**_place(ended), "run_id": ended.run_id}).mappings().one_or_none()
    return dict(row) if row else None


def has_old(connection: Connection, ended: Pass) -> bool:
    """Whether an account has a record that it had before a run brought any by another key."""
    found: bool = connection.execute(_HAS_OLD, {**_place(ended), "run_id": ended.run_id}).scalar_one()
    return found


def replace(connection: Connection, ended: Pass, keys: Sequence[object]) -> None:
    """Record that only these keys are left."""
    connection.execute(_SET, {**_place(ended), "run_id": ended.run_id, "keys": json.dumps(list(keys))})


def _place(ended: Pass) -> dict[str, object]:
    return {
        "account_id": ended.account_id,
        "resource": ended.resource,
        "webhook_id": ended.webhook_id,
        "nobody": NOBODY,
    }


_HOLDINGS: Final = text(f"""
    select record_key.resource, cast(job.id as text) as job_id, job.resources as job_resources,
           cast(account.integration_id as text) as integration_id, count(distinct account.id) as accounts
      from record_key
      join integrated_account account on account.id = record_key.integrated_account_id
      join sync_job job on job.id = record_key.sync_job_id
     where account.environment_id = cast(:environment_id as uuid)
           and account.integration_id = coalesce(cast(:integration_id as uuid), account.integration_id)
           and account.id = coalesce(cast(:account_id as uuid), account.id)
           and job.id = coalesce(cast(:job_id as uuid), job.id)
           and (exists (select from record where record.integrated_account_id = account.id
                                                 and record.resource = record_key.resource)
                or record_key.webhook_id <> '{NOBODY}')
     group by record_key.resource, job.id, account.integration_id order by record_key.resource, job.id
""")


@retry_conflicts
class RecordKeyStore:
    """The records that are held, by the jobs that have brought them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, environment_id: EnvironmentId, place: Mapping[str, str]) -> Sequence[Holding]:
        """List those of an ``integration_id``, an ``account_id`` or a ``job_id``."""
        values = {"integration_id": None, "account_id": None, "job_id": None, **place}
        with reading(self._engine) as connection:
            rows = connection.execute(_HOLDINGS, {**values, "environment_id": environment_id}).mappings().all()
        return [Holding(**row) for row in rows]
