"""Fills tables with years of runs and records by SQL alone: what a scenario finds there, never what it measures."""

from dataclasses import dataclass
from typing import Final

import psycopg

from app.engine.ids import new_id

RUN_SECONDS: Final = 60
"""Runs were created so far apart."""

# Rows as Ferryman itself writes them, in the order of the primary key: that is how pages come.
_RECORDS = """
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
    select %(account_id)s, 'tickets', lpad(number::text, 9, '0'),
           jsonb_build_object('id', number, 'subject', 'printer login refund ' || number, 'status', 'open',
                              'priority', 'normal', 'description', repeat('dashboard export import ', 12),
                              'requester', jsonb_build_object('id', number %% 997), 'tags', '["seat", "api"]'::jsonb),
           decode(md5(number::text), 'hex'), %(run_id)s, number
      from generate_series(%(first)s::bigint, %(last)s::bigint) number
"""

_RUNS = """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, daemon_group_key, queue, created_at, updated_at, started_at,
                              finished_at, error, has_errors)
    select gen_random_uuid(), %(environment_id)s, (%(job_ids)s::uuid[])[1 + number %% cardinality(%(job_ids)s::uuid[])],
           (%(account_ids)s::uuid[])[1 + number %% cardinality(%(account_ids)s::uuid[])],
           case when number %% 1000 = 0 then 'failed' else 'completed' end,
           jsonb_build_object('plan', case when number %% 997 = 0 then 'pro' else 'free' end, 'number', number),
           '\\x00', '[{"resource": "tickets", "method": "list", "persist": true}]',
           jsonb_build_object('id', (%(job_ids)s::uuid[])[1 + number %% cardinality(%(job_ids)s::uuid[])],
                              'integration_name', 'acme', 'label', 'acme', 'args_schema', '{}'::jsonb, 'resources',
                              '[{"resource": "tickets", "method": "list", "persist": true}]'::jsonb),
           'default', 'daemon-group.default', moment, moment, moment, moment,
           case when number %% 1000 = 0 then '{"code": "http_500", "message": "the upstream answered 500"}'::jsonb end,
           number %% 50 = 0
      from generate_series(1, %(runs)s) number,
           lateral (select now() - make_interval(secs => %(run_seconds)s * (%(runs)s - number)) as moment) as at
"""

_RESOURCES = """
    insert into run_resource (id, run_id, position, name, resource, method, persist, status, pages, fetched, created,
                              errors)
    select gen_random_uuid(), id, 0, 'tickets', 'tickets', 'list', true, 'completed', 1, 100, 100, has_errors::int
      from sync_job_run
     where environment_id = %(environment_id)s
"""

# Of an environment of their own, whose accounts and jobs need not be there.
_EXPIRED_RUNS = """
    with environment as (
        insert into environment (id, name) values (gen_random_uuid(), gen_random_uuid()::text) returning id),
    run as (
        insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                                  resources, sync_job, queue, created_at, started_at, finished_at)
        select gen_random_uuid(), environment.id, gen_random_uuid(), gen_random_uuid(), 'failed', '{}', '\\x00', '[]',
               '{}', 'daemon-group.default', moment, moment, moment
          from environment, generate_series(1, %(runs)s) number,
               lateral (select now() - interval '100 days' - make_interval(secs => number) as moment) as at
     returning id, environment_id, integrated_account_id, finished_at),
    resource as (
        insert into run_resource (id, run_id, position, name, resource, method, persist, status)
        select gen_random_uuid(), id, 0, 'tickets', 'tickets', 'list', true, 'completed' from run returning id, run_id),
    unit as (
        insert into unit (id, run_id, resource_id, kind, status)
        select gen_random_uuid(), run_id, id, 'fetch', 'done' from resource, generate_series(1, 10)),
    delivery as (
        insert into delivery (id, run_id, webhook_id, integrated_account_id, log_sequence, event, body, status,
                              created_at, delivered_at)
        select gen_random_uuid(), id, gen_random_uuid(), integrated_account_id, number, 'record', '', 'delivered',
               finished_at, finished_at
          from run, generate_series(1, 12) number)
    insert into run_error (id, run_id, environment_id, code, message, created_at)
    select gen_random_uuid(), id, environment_id, 'http_500', 'the upstream answered 500', finished_at from run
"""

# A run at work on a large list: its units, and errors of a few causes.
_BUSY_RUN = """
    with run as (
        update sync_job_run set status = 'running', finished_at = null
         where id = (select id from sync_job_run where environment_id = %(environment_id)s and status = 'completed'
                      order by created_at desc limit 1)
     returning id, environment_id),
    unit as (
        insert into unit (id, run_id, resource_id, kind, status, elements)
        select gen_random_uuid(), run.id, r.id, 'fetch', case when number %% 10 = 0 then 'ready' else 'done' end, '[{}]'
          from run join run_resource r on r.run_id = run.id, generate_series(1, %(units)s) number),
    error as (
        insert into run_error (id, run_id, environment_id, resource, method, code, message, details)
        select gen_random_uuid(), run.id, run.environment_id, 'tickets', 'list', 'http_' || 500 + number %% 5,
               'GET http://127.0.0.1:9/tickets was answered 500', jsonb_build_object('status', 500 + number %% 5,
               'excerpt', repeat('it is broken ', 30))
          from run, generate_series(1, %(units)s) number)
    select id from run
"""

# What an environment is operated by: events of a webhook, changes, and what people are told of.
_OPERATED = """
    with delivery as (
        insert into delivery (id, webhook_id, integrated_account_id, log_sequence, event, body, status, attempts,
                              created_at, delivered_at)
        select gen_random_uuid(), %(webhook_id)s, %(account_id)s, number, 'sync_job_run:record', '{}',
               case when number %% 100 = 0 then 'dead_lettered' else 'delivered' end, 1, moment,
               case when number %% 100 <> 0 then moment + interval '1 second' end
          from generate_series(1, %(rows)s) number, lateral (select now() - number * interval '1 second' as moment) at),
    entry as (
        insert into audit_entry (id, environment_id, created_at, action, object_type, object_id, integrated_account_id,
                                 actor_kind, before, after)
        select gen_random_uuid(), %(environment_id)s, now() - number * interval '1 second', 'webhook.updated',
               'webhook', %(webhook_id)s, case when number %% 10 = 0 then %(account_id)s::uuid end, 'token',
               '{"is_active": true}', '{"is_active": false}'
          from generate_series(1, %(rows)s) number)
    insert into incident (id, environment_id, notification_destination_id, event, subject, cause, facts, opened_at,
                          created_at, resolved_at, closed_at)
    select gen_random_uuid(), %(environment_id)s, %(people_id)s, 'sync_job_run:failed', 'of run ' || number, 'http_500',
           '{"message": "the upstream answered 500"}', moment, moment, ended, ended
      from generate_series(1, %(rows)s) number,
           lateral (select now() - number * interval '1 second' as moment) at,
           lateral (select case when number %% 100 <> 0 then moment + interval '1 minute' end as ended) over
"""

_NEWEST_RUN = """
    select id from sync_job_run where integrated_account_id = %s and status = 'completed'
     order by created_at desc limit 1 offset %s
"""

_PART_OF_LOG = "update run_resource set first_sequence = %s, last_sequence = %s where run_id = %s"
_END_OF_LOG = """
    insert into account_log (integrated_account_id, last_sequence) values (%s, %s)
    on conflict (integrated_account_id) do update set last_sequence = excluded.last_sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledAccount:
    """An account with records, all of which came by one run."""

    id: str
    run_id: str
    records: int


def fill_runs(database_url: str, environment_id: str, *, job_ids: list[str], account_ids: list[str], runs: int) -> None:
    """Write runs that have ended, spread over jobs and accounts."""
    values = {
        "environment_id": environment_id,
        "job_ids": job_ids,
        "account_ids": account_ids,
        "runs": runs,
        "run_seconds": RUN_SECONDS,
    }
    with _hasty(database_url) as connection:
        connection.execute(_RUNS, values)
        connection.execute(_RESOURCES, values)


def fill_busy_run(database_url: str, environment_id: str, *, units: int) -> str:
    """Let the newest run be at work, with so many units and errors; return its id."""
    with _hasty(database_url) as connection:
        (run_id,) = connection.execute(_BUSY_RUN, {"environment_id": environment_id, "units": units}).fetchone() or (
            None,
        )
    return str(run_id)


def fill_operated(database_url: str, **values: object) -> None:
    """Write so many ``rows`` of what an environment is operated by; ``values`` are the ids of what they belong to."""
    with _hasty(database_url) as connection:
        connection.execute(_OPERATED, values)


def fill_expired_runs(database_url: str, runs: int) -> None:
    """Write runs that ended before retention's period, with all that belongs to them."""
    with _hasty(database_url) as connection:
        connection.execute(_EXPIRED_RUNS, {"runs": runs})


def fill_account(database_url: str, account_id: str, records: int, *, parts: int = 1) -> list[FilledAccount]:
    """Write an account's records, as its newest runs brought them in equal parts; runs need not be there."""
    filled = []
    with _hasty(database_url) as connection:
        for part in range(parts):
            first, last = part * records // parts + 1, (part + 1) * records // parts
            found = connection.execute(_NEWEST_RUN, [account_id, part]).fetchone()
            run_id = str(found[0]) if found else new_id()
            values = {"account_id": account_id, "run_id": run_id, "first": first, "last": last}
            connection.execute(_RECORDS, values)
            connection.execute(_PART_OF_LOG, [first, last, run_id])
            filled.append(FilledAccount(id=account_id, run_id=run_id, records=last - first + 1))
        connection.execute(_END_OF_LOG, [account_id, records])
    return filled


def settle(database_url: str) -> None:
    """Do what autovacuum would have done in the years in between."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def _hasty(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url, options="-c synchronous_commit=off")
