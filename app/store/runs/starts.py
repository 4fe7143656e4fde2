"""Who started a run: a row beside it, which the audit log shows as an entry for as long as there is the run."""

from typing import Final

from sqlalchemy import Connection, text

ACTION: Final = "sync_job_run.created"

INSERT: Final = """
    insert into run_start (id, environment_id, actor_kind, actor_id, actor_name, operation, request_id, remote_address,
                           created_at)
    select run.id, cast(:environment_id as uuid), actor.*, run.created_at
      from run, jsonb_to_record(cast(:actor as jsonb)) actor
           (kind text, id uuid, name text, operation text, request_id uuid, address text)
     where kind is not null
"""
"""Of the common table expression ``run``; nothing where ``actor`` is null."""

AFTER: Final = f"""
    jsonb_strip_nulls(jsonb_build_object(
        {
    ", ".join(
        f"'{name}', sync_job_run.{name}"
        for name in (
            "sync_job_id",
            "integrated_account_id",
            "webhook_id",
            "daemon_group_key",
            "error_handling",
            "ignore_previous_run",
            "force",
            "mutex_key",
        )
    )
}))
"""
"""What the entry of a start shows of its run."""

_KEEP: Final = text(f"""
    insert into audit_entry (id, environment_id, integrated_account_id, action, object_type, object_id, actor_kind,
                             actor_id, actor_name, operation, request_id, remote_address, after, created_at)
    select id, run_start.environment_id, integrated_account_id, '{ACTION}', 'sync_job_run', cast(id as text),
           actor_kind, actor_id, actor_name, operation, request_id, remote_address, {AFTER}, run_start.created_at
      from run_start join sync_job_run using (id) where id = cast(:run_id as uuid)
""")


def keep_start(connection: Connection, run_id: str) -> None:
    """Keep who started a run that somebody removes, as an entry of its own."""
    connection.execute(_KEEP, {"run_id": run_id})
