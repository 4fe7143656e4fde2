"""Entries of who changed what, which triggers write beside each change.

A trigger sees every statement, whoever wrote it, and its entry is committed or rolled back with the change. Who acts is
a setting of the transaction (``ferryman.actor``); without it Ferryman itself is at work, and only what it does to the
status of accounts and webhooks is noted.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.store.migrations.locking import lock_tables

revision = "0031"
down_revision = "0030"

_UUID = sa.UUID(as_uuid=False)

_TABLES: Final = (
    *("environment", "api_token", "integration", "environment_integration", "integrated_account", "tenant"),
    *("sync_job", "sync_job_cron_trigger", "sync_job_template", "sync_job_run_state", "webhook"),
    *("datastore", "destination", "erasure", "notification_destination", "notification_rule", "resource_schema"),
    *("unified_model", "environment_unified_model", "unified_model_method"),
)
_PARTLY: Final = {"sync_job_run": "status, resumes", "bulk_action": "status"}
"""Of these a change of some columns alone is somebody's."""

# Only the end of what is sealed is shown: it differs when the secret was entered anew, and reveals nothing.
_MASK: Final = r"""
create function audit_mask(shown jsonb) returns jsonb language sql immutable as $$
    select cast(regexp_replace(
        cast(shown as text), '"ferryman-sealed:[A-Za-z0-9_=-]*([A-Za-z0-9_=-]{8})"', '"*** \1"', 'g') as jsonb)
$$
"""

_DIGEST: Final = """
create function audit_digest(hidden jsonb) returns text language sql immutable as $$
    select encode(sha256(convert_to(cast(hidden as text), 'UTF8')), 'hex')
$$
"""

# What is nested deeper than that counts as one value. The rest takes time in proportion to what is compared.
_DIFFERENCE: Final = """
create function audit_difference(old_value jsonb, new_value jsonb, depth integer, out gone jsonb, out come jsonb)
language plpgsql immutable as $$
begin
    if depth = 0 or jsonb_typeof(old_value) is distinct from 'object'
       or jsonb_typeof(new_value) is distinct from 'object' then
        gone := old_value;
        come := new_value;
        return;
    end if;
    select coalesce(jsonb_object_agg(key, part.gone) filter (where part.gone is not null), '{}'),
           coalesce(jsonb_object_agg(key, part.come) filter (where part.come is not null), '{}')
      into gone, come
      from jsonb_each(old_value) old_one (key, old_part) full join jsonb_each(new_value) new_one (key, new_part)
           using (key) cross join lateral audit_difference(old_part, new_part, depth - 1) part
     where old_part is distinct from new_part;
end $$
"""

# An entry is read in one piece, and a page of them at once.
_SHORTEN: Final = """
create function audit_shorten(shown jsonb) returns jsonb language sql immutable as $$
    select case when shown is not null then coalesce(
               jsonb_object_agg(
                   key, case when octet_length(cast(value as text)) <= 65536 then value
                        else to_jsonb(octet_length(cast(value as text)) || ' bytes, SHA-256 ' || audit_digest(value))
                        end), '{}') end
      from jsonb_each(shown)
$$
"""

# Of a run what a person decides; of the others all but what Ferryman keeps beside. What is secret as a whole shows only
# that it is there, and whether it has changed.
_SHOW: Final = """
create function audit_show(kind text, shown jsonb) returns jsonb language sql immutable as $$
    select jsonb_object_agg(
               regexp_replace(key, '_encrypted$', ''),
               case when value = 'null' then value
                    when right(key, 10) = '_encrypted' then to_jsonb('*** ' || right(audit_digest(value), 8))
                    when kind = 'sync_job_run_state' and key = 'value' then to_jsonb(audit_digest(value))
                    else audit_mask(value) end)
      from jsonb_each(shown)
     where case kind
           when 'sync_job_run' then key in (
               'sync_job_id', 'integrated_account_id', 'status', 'webhook_id', 'daemon_group_key', 'error_handling',
               'ignore_previous_run', 'force', 'resumes', 'mutex_key')
           when 'bulk_action' then key in ('kind', 'status', 'counted')
           when 'erasure' then key in ('integrated_account_id', 'resource', 'due_at')
           when 'resource_schema' then key in ('integration_name', 'resource', 'columns', 'policy')
           else key not in (
               'id', 'environment_id', 'created_at', 'updated_at', 'version', 'token_hash', 'last_used_at',
               'next_run_at', 'last_run', 'failing_since', 'plain_paths', 'refused_call', 'refused_at',
               'last_forbidden_error') end
$$
"""

_WRITE: Final = """
create function audit_write(
    environment uuid, account uuid, action text, object_type text, object_id text, before jsonb, after jsonb)
returns void language plpgsql as $$
declare
    actor jsonb := coalesce(nullif(current_setting('ferryman.actor', true), ''), '{"kind": "system"}');
begin
    insert into audit_entry (
        id, environment_id, integrated_account_id, action, object_type, object_id, actor_kind, actor_id, actor_name,
        operation, request_id, remote_address, before, after)
    values (
        gen_random_uuid(), environment, account, action, object_type, object_id, actor ->> 'kind',
        cast(actor ->> 'id' as uuid), actor ->> 'name', actor ->> 'operation', cast(actor ->> 'request_id' as uuid),
        actor ->> 'address', before, after);
end $$
"""

_CHANGE: Final = """
create function audit_change() returns trigger language plpgsql as $$
declare
    old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    one jsonb := coalesce(new_row, old_row);
    verb text := case tg_op when 'INSERT' then 'created' when 'DELETE' then 'deleted' else 'updated' end;
    gone jsonb := audit_show(tg_table_name, old_row);
    come jsonb := audit_show(tg_table_name, new_row);
begin
    if tg_op = 'UPDATE' then
        select * into gone, come from audit_difference(gone, come, 12);
        if gone = come then
            return null;
        end if;
        if tg_table_name = 'sync_job_run' then
            verb := case when come ? 'resumes' then 'resumed' else coalesce(come ->> 'status', verb) end;
        end if;
    end if;
    if tg_table_name = 'sync_job_run_state' then
        -- What a run keeps may be personal.
        gone := gone || case when gone ? 'value' then jsonb '{"value": "***"}' else jsonb '{}' end;
        come := come || case when come ? 'value' then jsonb '{"value": "***"}' else jsonb '{}' end;
    end if;
    perform audit_write(
        cast(case tg_table_name when 'environment' then one ->> 'id' else one ->> 'environment_id' end as uuid),
        cast(case tg_table_name when 'integrated_account' then one ->> 'id'
             else one ->> 'integrated_account_id' end as uuid),
        tg_table_name || '.' || verb, tg_table_name, one ->> 'id',
        audit_shorten(jsonb_strip_nulls(gone)),
        audit_shorten(case tg_op when 'UPDATE' then come else jsonb_strip_nulls(come) end));
    return null;
end $$
"""

_HAS_ACTOR: Final = "coalesce(current_setting('ferryman.actor', true), '') <> ''"
_TRIGGER: Final = """
create trigger audit after {events} on {table} for each row when ({condition}) execute function audit_change()
"""
_OF_ITSELF: Final = """
create trigger audit_of_itself after update of {column} on {table} for each row
  when (not ({has_actor}) and old.{column} is distinct from new.{column}) execute function audit_change()
"""


def upgrade() -> None:
    _create_entries()
    for function in (_MASK, _DIGEST, _DIFFERENCE, _SHORTEN, _SHOW, _WRITE, _CHANGE):
        op.execute(function)
    lock_tables(*_TABLES, *_PARTLY)
    for table in _TABLES:
        op.execute(_TRIGGER.format(events="insert or update or delete", table=table, condition=_HAS_ACTOR))
    for table, columns in _PARTLY.items():
        events = f"insert or delete or update of {columns}"
        op.execute(_TRIGGER.format(events=events, table=table, condition=_HAS_ACTOR))
    for table, column in (("integrated_account", "status"), ("webhook", "is_active")):
        op.execute(_OF_ITSELF.format(column=column, table=table, has_actor=_HAS_ACTOR))


def _create_entries() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("integrated_account_id", _UUID),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("action", "object_type", "object_id", "actor_kind")),
        sa.Column("actor_id", _UUID),
        sa.Column("actor_name", sa.Text()),
        sa.Column("operation", sa.Text()),
        sa.Column("request_id", _UUID),
        sa.Column("remote_address", sa.Text()),
        sa.Column("before", JSONB()),
        sa.Column("after", JSONB()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    for name, columns in (
        ("audit_entry_page", ["environment_id", "created_at", "id"]),
        ("audit_entry_by_object", ["environment_id", "object_id", "created_at", "id"]),
        ("audit_entry_by_type", ["environment_id", "object_type", "created_at", "id"]),
        ("audit_entry_by_action", ["environment_id", "action", "created_at", "id"]),
        ("audit_entry_by_actor_kind", ["environment_id", "actor_kind", "created_at", "id"]),
        ("audit_entry_by_actor", ["environment_id", "actor_id", "created_at", "id"]),
        ("audit_entry_age", ["created_at"]),
    ):
        op.create_index(name, "audit_entry", columns)
    op.create_index(
        "delivery_failed",
        "delivery",
        ["webhook_id", "created_at", "id"],
        postgresql_where=sa.text("status in ('dead_lettered', 'quarantined')"),
    )
    op.create_index(
        "audit_entry_by_account",
        "audit_entry",
        ["integrated_account_id", "created_at", "id"],
        postgresql_where=sa.text("integrated_account_id is not null"),
    )


def downgrade() -> None:
    lock_tables(*_TABLES, *_PARTLY)
    for table in (*_TABLES, *_PARTLY):
        op.execute(f"drop trigger audit on {table}")
    for table in ("integrated_account", "webhook"):
        op.execute(f"drop trigger audit_of_itself on {table}")
    functions = ("audit_change", "audit_write", "audit_show", "audit_shorten", "audit_difference", "audit_digest")
    for function in (*functions, "audit_mask"):
        op.execute(f"drop function {function}")
    op.drop_index("delivery_failed", "delivery")
    op.drop_table("audit_entry")
