"""What is held of an account, and what happened to it: read by indexes, and never more than is shown."""

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, text

from app.engine.objects.environments import EnvironmentId
from app.engine.status import DeliveryStatus, ResourceStatus
from app.services.dashboard.facts import Happening, HappeningKind, HeldResource, Timeline
from app.services.maintenance.counting import COUNTED_AT_ONCE
from app.services.runs.conflicts import retry_conflicts
from app.store.db.autocommit import autocommit_of
from app.store.db.database import reading

_LATE_RUNS: Final = 100

# The primary key begins with account and resource: its few values are stepped through.
_RESOURCES: Final = text(f"""
    with recursive known as (
        (select resource from record where integrated_account_id = :account_id order by resource limit 1)
        union all
        select (select r.resource from record r
                 where r.integrated_account_id = :account_id and r.resource > known.resource
                 order by r.resource limit 1)
          from known where known.resource is not null),
    late as (
        select id, created_at from sync_job_run
         where integrated_account_id = :account_id and environment_id = :environment_id
         order by created_at desc, id desc limit {_LATE_RUNS}),
    part as (
        select p.resource, p.status, p.finished_at, late.id as run_id, late.created_at
          from late join run_resource p on p.run_id = late.id),
    last as (
        select distinct on (resource) resource, status, run_id from part order by resource, created_at desc),
    whole as (
        select resource, max(finished_at) as read_at from part
         where status = '{ResourceStatus.COMPLETED}' group by resource)
    select name.resource, held.records, whole.read_at, last.run_id, last.status, counted.records as many,
           counted.counted_at
      from (select resource from known where resource is not null union select resource from part) name
      left join last on last.resource = name.resource
      left join whole on whole.resource = name.resource
      cross join lateral (
          select count(*) as records from (
              select from record r
               where r.integrated_account_id = :account_id and r.resource = name.resource and r.deleted_at is null
               limit {COUNTED_AT_ONCE + 1}) counted) held
      left join (
          select key as resource, cast(value as bigint) as records,
                 case when c.counted_through < l.last_sequence then c.counted_at end as counted_at
            from record_count c join account_log l on l.integrated_account_id = c.integrated_account_id
           cross join lateral jsonb_each_text(c.counts)
           where c.integrated_account_id = :account_id) counted on counted.resource = name.resource
     order by name.resource limit 200
""")

_CHANGES: Final = text("""
    select created_at as at, id, action as what, concat_ws(' ', actor_kind, actor_name) as who,
           left(coalesce((
               select string_agg(case key when 'status' then concat('status ', before -> key, ' to ', after -> key)
                                 else key end, ', ' order by key)
                 from jsonb_object_keys(case when before is null or after is null then '{}' else after end) key),
               ''), 200) as details,
           cast(null as uuid) as webhook_id, false as has_errors
      from audit_entry
     where integrated_account_id = :account_id and environment_id = :environment_id
           and created_at < coalesce(cast(:before as timestamptz), 'infinity')
     order by created_at desc, id desc limit :limit
""")
_RUNS: Final = text("""
    select run.created_at as at, run.id, status as what, concat_ws(' ', actor_kind, actor_name) as who,
           left(concat_ws(': ', error ->> 'code', error ->> 'message'), 200) as details,
           cast(null as uuid) as webhook_id, has_errors
      from sync_job_run run left join run_start on run_start.id = run.id
     where integrated_account_id = :account_id and run.environment_id = :environment_id
           and run.created_at < coalesce(cast(:before as timestamptz), 'infinity')
     order by run.created_at desc, run.id desc limit :limit
""")
# The log of an account is by its numbers: its newest batches are looked at.
_EVENTS: Final = text(f"""
    select created_at as at, id, concat_ws(' ', event, status) as what, '' as who,
           left(coalesce(last_error, ''), 200) as details, webhook_id, false as has_errors
      from (select * from delivery
             where integrated_account_id = :account_id and log_sequence is not null
             order by log_sequence desc limit 2000) newest
     where status in ('{DeliveryStatus.DEAD_LETTERED}', '{DeliveryStatus.QUARANTINED}')
           and created_at < coalesce(cast(:before as timestamptz), 'infinity')
     order by created_at desc, id desc limit :limit
""")
_SOURCES: Final = ((HappeningKind.CHANGE, _CHANGES), (HappeningKind.RUN, _RUNS), (HappeningKind.EVENT, _EVENTS))


@retry_conflicts
class AccountFacts:
    """The accounts of all environments; who asks has checked that the account is the environment's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_resources(self, environment_id: EnvironmentId, account_id: str) -> Sequence[HeldResource]:
        """List the resources that an account has records of, or that its runs of late had."""
        # Of a table that is mostly one account's, Postgres would count by reading all of it.
        values = {"account_id": account_id, "environment_id": environment_id}
        rows = autocommit_of(self._engine).all(_RESOURCES, values)
        return [_held(row) for row in rows]

    def read_timeline(
        self, environment_id: EnvironmentId, account_id: str, *, before: datetime | None, limit: int
    ) -> Timeline:
        """Read what happened to an account before a moment, the newest first."""
        values = {"account_id": account_id, "environment_id": environment_id, "before": before, "limit": limit + 1}
        with reading(self._engine) as connection:
            found = [_read(connection, kind, source, values) for kind, source in _SOURCES]
        merged = list(heapq.merge(*found, key=lambda one: one.at, reverse=True))
        shown = merged[:limit]
        # What happened at the same moment as the last one is not parted from it.
        while len(shown) < len(merged) and merged[len(shown)].at == shown[-1].at:
            shown.append(merged[len(shown)])
        return Timeline(happenings=shown, before=shown[-1].at if len(merged) > len(shown) else None)


def _held(row: Mapping[str, Any]) -> HeldResource:
    is_small = row["records"] <= COUNTED_AT_ONCE
    is_known = row["many"] is not None and row["many"] > COUNTED_AT_ONCE
    return HeldResource(
        name=row["resource"],
        records=row["records"] if is_small else row["many"] if is_known else COUNTED_AT_ONCE,
        is_capped=not is_small and not is_known,
        counted_at=row["counted_at"] if is_known and not is_small else None,
        read_at=row["read_at"],
        last_run_id=str(row["run_id"]) if row["run_id"] else None,
        status=row["status"],
    )


def _read(
    connection: Connection, kind: HappeningKind, source: TextClause, values: Mapping[str, object]
) -> Sequence[Happening]:
    rows = connection.execute(source, values).all()
    return [
        Happening(
            at=row.at,
            kind=kind,
            id=str(row.id),
            what=row.what,
            who=row.who,
            details=row.details,
            webhook_id=str(row.webhook_id) if row.webhook_id else None,
            has_errors=row.has_errors,
        )
        for row in rows
    ]
