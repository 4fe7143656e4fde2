"""How accounts, webhooks, destinations and schemas stand, as SQL: an incident lasts as long as it is so.

Each query returns what those of run_conditions.py do.
"""

from typing import Final

from app.engine.status import AccountStatus, DeliveryStatus
from app.store.notifications.run_conditions import WAITING_EVENTS

# An account that is stale for this reason is notified of by its own event.
NEEDS_REAUTH: Final = f"""
    select cast(a.id as text) as subject, a.id as account_id, i.name as cause, a.updated_at as since, 1 as count,
           jsonb_build_object('message', left(a.last_error, 300)) as facts, false as is_over
      from integrated_account a join integration i on i.id = a.integration_id
     where a.environment_id = :environment_id and a.status = '{AccountStatus.NEEDS_REAUTH}'
           and (cast(:account_id as uuid) is null or a.id = cast(:account_id as uuid))
"""

WEBHOOK_DISABLED: Final = """
    select cast(w.id as text) as subject, cast(null as uuid) as account_id, '' as cause, w.updated_at as since,
           1 as count,
           jsonb_build_object('webhook_id', w.id, 'message', left(w.disabled_reason, 300)) as facts, false as is_over
      from webhook w
     where w.environment_id = :environment_id and not w.is_active and w.disabled_reason is not null
"""

WEBHOOK_BEHIND: Final = f"""
    select cast(w.id as text) as subject, cast(null as uuid) as account_id, '' as cause, min(waiting.since) as since,
           1 as count, jsonb_build_object('webhook_id', w.id, 'waits_since', min(waiting.since)) as facts,
           false as is_over
      from webhook w
           join ({WAITING_EVENTS}
                 union all
                 select own.id, first.created_at from webhook own
                        cross join lateral (
                        select d.created_at from delivery d
                         where d.run_id is null and d.webhook_id = own.id and d.status = '{DeliveryStatus.PENDING}'
                         order by d.sequence limit 1) first
                  where own.environment_id = :environment_id) waiting on waiting.webhook_id = w.id
     where w.environment_id = :environment_id and w.is_active
     group by w.id
    having min(waiting.since) < now() - make_interval(mins => :minutes)
"""

DESTINATION_FAILING: Final = """
    select cast(d.id as text) as subject, cast(null as uuid) as account_id, coalesce(max(c.error_code), '') as cause,
           min(c.failing_since) as since, count(*) as count,
           jsonb_build_object(
               'destination_id', d.id, 'label', d.label, 'accounts', count(*), 'message', left(max(c.last_error), 300))
               as facts,
           false as is_over
      from destination d join destination_cursor c on c.destination_id = d.id
     where d.environment_id = :environment_id and d.paused_at is null
           and c.failing_since < now() - make_interval(mins => :minutes)
     group by d.id
"""

DESTINATION_BEHIND: Final = """
    select cast(d.id as text) as subject, cast(null as uuid) as account_id, '' as cause, min(oldest.at) as since,
           count(*) as count,
           jsonb_build_object('destination_id', d.id, 'label', d.label, 'accounts', count(*)) as facts,
           false as is_over
      from destination d
           join destination_cursor c on c.destination_id = d.id
           join account_log l on l.integrated_account_id = c.integrated_account_id and l.last_sequence > c.cursor
           cross join lateral (
           select r.updated_at as at from record r
            where r.integrated_account_id = c.integrated_account_id and r.sequence >= 0 and r.sequence > c.cursor
            order by r.sequence limit 1) oldest
     where d.environment_id = :environment_id and d.paused_at is null
           and oldest.at < now() - make_interval(mins => :minutes)
     group by d.id
"""

# What a schema began with is no change. What was told of one is not told again.
SCHEMA_CHANGED: Final = """
    select cast(s.id as text) as subject, cast(null as uuid) as account_id, '' as cause, min(c.created_at) as since,
           count(*) as count,
           jsonb_build_object(
               'schema_id', s.id, 'integration_name', s.integration_name, 'resource', s.resource, 'through', max(c.id),
               'columns', (array_agg(coalesce(c.column_name, c.kind) order by c.id))[1:10]) as facts,
           false as is_over
      from resource_schema s join resource_schema_change c on c.schema_id = s.id
     where s.environment_id = :environment_id and c.created_at > s.created_at
           and c.created_at > :since - interval '2 minutes'
           and c.id > coalesce((
               select max(cast(i.facts ->> 'through' as bigint)) from incident i
                where i.notification_destination_id = :destination_id and i.event = :event
                      and i.notification_rule_id is not distinct from cast(:rule_id as uuid)
                      and i.subject = cast(s.id as text) and i.closed_at is not null), 0)
     group by s.id
"""
