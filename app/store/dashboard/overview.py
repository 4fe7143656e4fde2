"""What the overview shows of an environment, by indexes that hold little more than what is counted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, text

from app.engine.objects.environments import EnvironmentId
from app.engine.status import (
    FINAL_RUN_STATUSES,
    LIVE_RUN_STATUSES,
    AccountStatus,
    ResourceStatus,
    RunStatus,
    UnitStatus,
)
from app.services.dashboard.overview import (
    COMPLETED_WITH_ERRORS,
    DueTrigger,
    Example,
    Outcome,
    Pace,
    Trouble,
    Troubles,
)
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.tables.statuses import any_of

_EXAMPLES: Final = 5
_MOST_COUNTED: Final = 1000
_MOST_RUNS: Final = 2000
_FIRST_HOUR: Final = "date_trunc('hour', now(), 'UTC') - interval '23 hours'"

_OUTCOMES: Final = text(f"""
    select date_trunc('hour', finished_at, 'UTC') as hour,
           case when status = '{RunStatus.COMPLETED}' and has_errors then '{COMPLETED_WITH_ERRORS}' else status end
               as status,
           count(*) as runs
      from sync_job_run
     where environment_id = :environment and finished_at > {_FIRST_HOUR} and status in {any_of(FINAL_RUN_STATUSES)}
     group by 1, 2
""")
_LAST_END: Final = text("""
    select concat(finished_at, id) from sync_job_run
     where environment_id = :environment and finished_at is not null
     order by environment_id desc, finished_at desc, id desc limit 1
""")
_PACES: Final = text(f"""
    with run as (
        (select id, started_at, finished_at from sync_job_run
          where environment_id = :environment and finished_at > now() - interval '1 hour'
          order by finished_at desc limit {_MOST_RUNS})
         union all
        (select id, started_at, null from sync_job_run
          where status in {any_of(LIVE_RUN_STATUSES)} and environment_id = :environment and started_at is not null
          limit {_MOST_RUNS}))
  select run.started_at as begun_at, coalesce(run.finished_at, now()) as ended_at, resource.records
    from run cross join lateral (
         select sum(fetched)::bigint as records from run_resource where run_id = run.id) resource
   where run.started_at is not null and resource.records > 0
""")
_DUE: Final = text("""
    select trigger.id, coalesce(job.label, 'a job that was removed') as job, trigger.cron_expression, trigger.timezone,
           trigger.next_run_at
      from sync_job_cron_trigger trigger left join sync_job job on job.id = trigger.sync_job_id
     where trigger.environment_id = :environment and trigger.next_run_at is not null
     order by trigger.next_run_at limit 6
""")

_TENANT: Final = "(select tenant_id from integrated_account a where a.id = sync_job_run.integrated_account_id)"
_CANDIDATE: Final = "select id, sync_job_id, integrated_account_id, created_at, finished_at from sync_job_run"
_ENDED_LATELY: Final = f"""
    {_CANDIDATE} where environment_id = :environment and finished_at > now() - interval '24 hours'
     order by finished_at desc limit 500
"""
_FAILED_LATELY: Final = f"""
    {_CANDIDATE} where environment_id = :environment and status = '{RunStatus.FAILED}'
           and created_at > now() - interval '7 days'
     order by created_at desc limit 500
"""

# By the index of runs that have not completed, which is by created_at: a run that worked for a week is missed.
# Of each kind: id, name, what is wrong, and where it is known since when, the newest first.
_TROUBLES: Final[Mapping[str, TextClause]] = {
    name: text(
        f"select *, count(*) over () as all_of_them from ({select} limit {_MOST_COUNTED}) found limit {_EXAMPLES}"
    )
    for name, select in {
        "accounts": f"""
            select id, tenant_id as name, coalesce(last_error, '') as told from integrated_account
             where environment_id = :environment and status = '{AccountStatus.NEEDS_REAUTH}'
             order by updated_at desc""",
        "webhooks": """
            select id, target_url as name, disabled_reason as told from webhook
             where environment_id = :environment and disabled_reason is not null order by updated_at desc""",
        "destinations": """
            select destination.id, coalesce(destination.label, destination.id::text) as name,
                   (array_agg(cursor.last_error order by cursor.failing_since))[1] as told
              from destination join destination_cursor cursor on cursor.destination_id = destination.id
             where destination.environment_id = :environment and cursor.failing_since is not null
             group by destination.id""",
        "triggers": """
            select trigger.id, coalesce(job.label, trigger.sync_job_id::text) as name,
                   coalesce(trigger.last_run ->> 'error', 'its due time has passed') as told
              from sync_job_cron_trigger trigger left join sync_job job on job.id = trigger.sync_job_id
             where trigger.environment_id = :environment and trigger.enabled
                   and (trigger.last_run ->> 'error' is not null or trigger.next_run_at < now() - interval '2 minutes')
             order by trigger.updated_at desc""",
        "failed": f"""
            select id, coalesce(sync_job ->> 'label', id::text) as name,
                   concat_ws(': ', {_TENANT}, error ->> 'message') as told, finished_at as since
              from sync_job_run
             where environment_id = :environment and status = '{RunStatus.FAILED}'
                   and finished_at > now() - interval '24 hours' and created_at > now() - interval '7 days'
             order by finished_at desc""",
        "flawed": f"""
            select id, coalesce(sync_job ->> 'label', id::text) as name, {_TENANT} as told, finished_at as since
              from sync_job_run
             where environment_id = :environment and has_errors and status = '{RunStatus.COMPLETED}'
                   and finished_at > now() - interval '24 hours' and created_at > now() - interval '7 days'
             order by finished_at desc""",
        "resources": f"""
            select last.sync_job_id as id,
                   concat(coalesce(job.label, 'a job that was removed'), ': ', last.resource) as name,
                   concat(last.accounts, case when last.accounts = 1 then ' account' else ' accounts' end) as told,
                   last.since
              from (select run.sync_job_id, resource.resource, min(run.finished_at) as since,
                           count(distinct run.integrated_account_id) as accounts
                      from (({_ENDED_LATELY}) union ({_FAILED_LATELY})) run
                      join run_resource resource
                           on resource.run_id = run.id and resource.status = '{ResourceStatus.FAILED}'
                     where not exists (
                           select from sync_job_run later
                            where later.integrated_account_id = run.integrated_account_id
                                  and (later.created_at, later.id) > (run.created_at, run.id)
                                  and later.sync_job_id = run.sync_job_id
                                  and later.status in {any_of(FINAL_RUN_STATUSES)})
                     group by run.sync_job_id, resource.resource) last
              left join sync_job job on job.id = last.sync_job_id
             order by last.accounts desc, last.since""",
        "incidents": """
            select min(incident.id::text) as id, incident.event as name,
                   concat(count(distinct incident.subject),
                          case when incident.cause <> '' then concat(': ', incident.cause) end) as told,
                   min(incident.opened_at) as since
              from notification_destination destination
              join incident on incident.notification_destination_id = destination.id
                   and incident.closed_at is null and incident.resolved_at is null
             where destination.environment_id = :environment
             group by incident.event, incident.cause order by min(incident.opened_at) desc""",
        "waiting": f"""
            select id, coalesce(sync_job ->> 'label', id::text) as name, concat('in ', queue) as told from sync_job_run
             where environment_id = :environment and status = '{RunStatus.CREATED}'
                   and created_at < now() - interval '1 minute' and updated_at < now() - interval '1 minute'
             order by created_at""",
        "stalled": f"""
            select id, coalesce(sync_job ->> 'label', id::text) as name, '' as told from sync_job_run run
             where environment_id = :environment and status = '{RunStatus.RUNNING}'
                   and started_at < now() - interval '10 minutes'
                   and not exists (select from run_resource
                                    where run_id = run.id and heard_at > now() - interval '10 minutes')
                   and not exists (select from unit where run_id = run.id and status = '{UnitStatus.READY}'
                                          and wake_at > now())
             order by started_at""",
        "quarantined": """
            select run.id, coalesce(run.sync_job ->> 'label', run.id::text) as name,
                   concat(sum(resource.quarantined), ' records') as told
              from (select id, sync_job, finished_at from sync_job_run
                     where environment_id = :environment and finished_at > now() - interval '24 hours'
                     order by finished_at desc limit 500) run
              join run_resource resource on resource.run_id = run.id and resource.quarantined > 0
             group by run.id, run.sync_job, run.finished_at order by run.finished_at desc""",
        "schemas": """
            select schema.id, concat(schema.integration_name, ' ', schema.resource) as name,
                   string_agg(distinct change.column_name, ', ') as told
              from resource_schema schema join resource_schema_change change on change.schema_id = schema.id
             where schema.environment_id = :environment and change.created_at > now() - interval '24 hours'
                   and schema.created_at < change.created_at - interval '1 minute'
             group by schema.id order by max(change.created_at) desc""",
    }.items()
}


_WAITING_GROUPS: Final = text(f"""
    select distinct daemon_group_key from sync_job_run
     where environment_id = :environment and status = '{RunStatus.CREATED}' and daemon_group_key is not null
""")


@retry_conflicts
class OverviewReader:
    """The overviews of environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count_outcomes(self, environment_id: EnvironmentId) -> Sequence[Outcome]:
        """Count what runs came to, by hour."""
        return [Outcome(**row) for row in self._read(_OUTCOMES, environment_id)]

    def find_last_end(self, environment_id: EnvironmentId) -> str:
        """Name the end that was last."""
        with reading(self._engine) as connection:
            return str(connection.execute(_LAST_END, {"environment": environment_id}).scalar_one_or_none())

    def list_paces(self, environment_id: EnvironmentId) -> Sequence[Pace]:
        """List the runs of the last hour."""
        return [Pace(**row) for row in self._read(_PACES, environment_id)]

    def list_waiting_groups(self, environment_id: EnvironmentId) -> Collection[str]:
        """List the daemon groups that runs wait to be taken up by."""
        with reading(self._engine) as connection:
            return set(connection.execute(_WAITING_GROUPS, {"environment": environment_id}).scalars())

    def list_due(self, environment_id: EnvironmentId) -> Sequence[DueTrigger]:
        """List the triggers whose time comes next."""
        return [DueTrigger(**{**row, "id": str(row["id"])}) for row in self._read(_DUE, environment_id)]

    def read_troubles(self, environment_id: EnvironmentId) -> Troubles:
        """Read what may need attention, in one snapshot."""
        with reading(self._engine) as connection:
            return Troubles(**{name: _read_trouble(connection, one, environment_id) for name, one in _TROUBLES.items()})

    def _read(self, statement: TextClause, environment_id: EnvironmentId) -> Sequence[dict[str, Any]]:
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(statement, {"environment": environment_id}).mappings()]


def _read_trouble(connection: Connection, statement: TextClause, environment_id: EnvironmentId) -> Trouble:
    rows = connection.execute(statement, {"environment": environment_id}).all()
    examples = [
        Example(id=str(row.id), name=str(row.name), told=str(row.told or ""), since=row._mapping.get("since"))
        for row in rows
    ]
    return Trouble(count=rows[0].all_of_them if rows else 0, examples=examples)
