"""What runs come to, as SQL: which of those that ended lately become incidents, and which end one.

Each query returns ``subject, account_id, cause, since, count, facts, is_over``, once for each subject.
"""

from typing import Final

from app.engine.status import LIVE_RUN_STATUSES, DeliveryStatus, ResourceStatus, RunStatus
from app.store.tables.statuses import any_of

OVERLAP_SECONDS: Final = 120
"""A run's end is written with the time at which its transaction began: whoever looks, looks so far back."""
_MOST_IN_A_ROW: Final = 10_000

_SCOPE: Final = """
    r.environment_id = :environment_id
    and (cast(:job_id as uuid) is null or r.sync_job_id = cast(:job_id as uuid))
    and (cast(:account_id as uuid) is null or r.integrated_account_id = cast(:account_id as uuid))
"""
_ENDED: Final = f"""
    select distinct on (r.integrated_account_id, r.sync_job_id)
           r.id, r.integrated_account_id, r.sync_job_id, r.status, r.error, r.args_hash, r.created_at, r.finished_at,
           r.integrated_account_id || ':' || r.sync_job_id as pair
      from sync_job_run r
     where {_SCOPE} and r.finished_at > :since - make_interval(secs => {OVERLAP_SECONDS})
           and r.status in {any_of([RunStatus.COMPLETED, RunStatus.FAILED])}
           and exists (select from integrated_account a where a.id = r.integrated_account_id)
           and exists (select from sync_job j where j.id = r.sync_job_id)
     order by r.integrated_account_id, r.sync_job_id, r.finished_at desc, r.id desc
"""
_IN_A_ROW: Final = f"""
    select count(*) as failures, min(finished_at) as since from (
           select p.finished_at from sync_job_run p
            where p.integrated_account_id = e.integrated_account_id and p.sync_job_id = e.sync_job_id
                  and p.status = '{RunStatus.FAILED}' and e.status = '{RunStatus.FAILED}'
                  and p.created_at > coalesce((
                      select max(c.created_at) from sync_job_run c
                       where c.integrated_account_id = e.integrated_account_id and c.sync_job_id = e.sync_job_id
                             and c.status = '{RunStatus.COMPLETED}'), '-infinity')
            order by p.created_at desc limit {_MOST_IN_A_ROW}) failed
"""
# The status that the upstream answered is with the run's error, not in the run.
_ANSWER: Final = """
    select x.details ->> 'status' as status from run_error x
     where x.run_id = e.id and x.code = e.error ->> 'code'
     order by x.created_at desc, x.id desc limit 1
"""


def _failures(only: str) -> str:
    return f"""
        select e.pair as subject, e.integrated_account_id as account_id,
               coalesce(e.error ->> 'code', '{RunStatus.FAILED}') || coalesce(' ' || answer.status, '') as cause,
               coalesce(streak.since, e.finished_at) as since, greatest(streak.failures, 1) as count,
               jsonb_build_object(
                   'sync_job_run_id', e.id, 'sync_job_id', e.sync_job_id, 'resource', e.error ->> 'resource',
                   'message', left(e.error ->> 'message', 300)) as facts,
               e.status = '{RunStatus.COMPLETED}' as is_over
          from ({_ENDED}) e
               cross join lateral ({_IN_A_ROW}) streak
               left join lateral ({_ANSWER}) answer on e.status = '{RunStatus.FAILED}'
         where e.status = '{RunStatus.COMPLETED}'
               or {only} and not coalesce(answer.status = any(cast(:ignored as text[])), false)
    """


FAILED: Final = _failures("true")
FAILED_REPEATEDLY: Final = _failures("streak.failures >= :count")

QUARANTINED: Final = f"""
    select e.pair as subject, e.integrated_account_id as account_id, '' as cause, e.finished_at as since,
           cast(q.records as bigint) as count,
           jsonb_build_object('sync_job_run_id', e.id, 'sync_job_id', e.sync_job_id, 'records', q.records) as facts,
           q.records <= :count as is_over
      from ({_ENDED}) e
           cross join lateral (
           select coalesce(sum(rr.quarantined), 0) as records from run_resource rr where rr.run_id = e.id) q
     where q.records > :count or e.status = '{RunStatus.COMPLETED}'
"""

# Of lists that were read whole: an increment brings as many as have changed. What was told is over once as many come as
# before it.
RECORDS_FELL: Final = f"""
    select subject, account_id, '' as cause, finished_at as since, 1 as count,
           jsonb_build_object(
               'sync_job_run_id', run_id, 'sync_job_id', sync_job_id, 'resource', resource, 'before', baseline,
               'fetched', fetched) as facts,
           fetched >= baseline * (100 - :percent) / 100.0 as is_over
      from (select e.pair || ':' || rr.name as subject, e.integrated_account_id as account_id, e.id as run_id,
                   e.sync_job_id, e.finished_at, rr.resource, rr.fetched,
                   coalesce((
                       select cast(i.facts ->> 'before' as bigint) from incident i
                        where i.notification_destination_id = :destination_id and i.event = :event
                              and i.notification_rule_id is not distinct from cast(:rule_id as uuid)
                              and i.subject = e.pair || ':' || rr.name and i.closed_at is null),
                       former.fetched) as baseline
              from ({_ENDED}) e
                   join run_resource rr on rr.run_id = e.id
                   cross join lateral (
                   select pr.fetched from sync_job_run p join run_resource pr on pr.run_id = p.id
                    where p.integrated_account_id = e.integrated_account_id and p.sync_job_id = e.sync_job_id
                          and p.args_hash = e.args_hash and p.created_at < e.created_at and pr.name = rr.name
                          and p.status = '{RunStatus.COMPLETED}' and pr.status = '{ResourceStatus.COMPLETED}'
                          and pr.previous_run_date is null
                    order by p.created_at desc, p.id desc limit 1) former
             where e.status = '{RunStatus.COMPLETED}' and rr.status = '{ResourceStatus.COMPLETED}'
                   and rr.previous_run_date is null) compared
     where baseline > 0
"""

# One that waits for its mutex, or for its upstream's rate limit, waits as it should.
STALLED: Final = f"""
    select cast(r.id as text) as subject, r.integrated_account_id as account_id, cast(r.status as text) as cause,
           moved.at as since, 1 as count,
           jsonb_build_object('sync_job_run_id', r.id, 'sync_job_id', r.sync_job_id, 'status', r.status) as facts,
           false as is_over
      from sync_job_run r
           cross join lateral (
           select greatest(
               r.updated_at, (select max(rr.heard_at) from run_resource rr where rr.run_id = r.id),
               (select max(u.updated_at) from unit u where u.run_id = r.id and u.kind = 'delivery')) as at) moved
     where {_SCOPE} and r.status in {any_of(LIVE_RUN_STATUSES - {RunStatus.RATE_LIMITED})}
           and moved.at < now() - make_interval(mins => :minutes)
           and (r.status <> '{RunStatus.CREATED}' or r.mutex_key is null)
"""

# The newest run comes first, so that of an account that is fresh one run is read.
# Runs of an account from before a day before the bound are not looked at: one that lasts so long counts as none.
STALE: Final = f"""
    select a.id || ':' || cast(:resource as text) as subject, a.id as account_id, cast(a.status as text) as cause,
           coalesce(last.at, a.created_at) as since, 1 as count,
           jsonb_build_object('resource', cast(:resource as text), 'last', last.at) as facts, false as is_over
      from integrated_account a
           join integration i on i.id = a.integration_id
           left join lateral (
           select rr.finished_at as at from sync_job_run r join run_resource rr on rr.run_id = r.id
            where r.integrated_account_id = a.id and rr.resource = cast(:resource as text)
                  and rr.status = '{ResourceStatus.COMPLETED}' and rr.finished_at is not null
                  and (cast(:job_id as uuid) is null or r.sync_job_id = cast(:job_id as uuid))
                  and r.created_at > now() - make_interval(mins => :minutes) - interval '1 day'
            order by r.created_at desc, r.id desc, rr.finished_at desc limit 1) last on true
     where a.environment_id = :environment_id
           and (cast(:account_id as uuid) is null or a.id = cast(:account_id as uuid))
           and coalesce(last.at, a.created_at) < now() - make_interval(mins => :minutes)
           and exists (
               select from sync_job j
                where j.environment_id = a.environment_id and j.integration_name = i.name
                      and (cast(:job_id as uuid) is null or j.id = cast(:job_id as uuid))
                      and j.resources @> jsonb_build_array(jsonb_build_object('resource', cast(:resource as text))))
"""

WAITING_EVENTS: Final = f"""
    select r.webhook_id, waits.created_at as since from sync_job_run r
           cross join lateral (
           select d.created_at from delivery d
            where d.run_id = r.id and d.status = '{DeliveryStatus.PENDING}' order by d.sequence limit 1) waits
     where r.environment_id = :environment_id and r.webhook_id is not null and r.status in {any_of(LIVE_RUN_STATUSES)}
"""
"""Since when the events of each live run wait for its webhook."""
