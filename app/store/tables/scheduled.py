"""What stands beside jobs and runs: cron triggers with their due times, templates, states."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type

sync_job_cron_trigger = Table(
    "sync_job_cron_trigger",
    metadata,
    id_column(),
    environment_column(),
    # No foreign keys to job, account and webhook: a trigger without them says so at its next due time.
    Column("sync_job_id", uuid_type, nullable=False),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("cron_expression", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("resources", JSONB(none_as_null=True)),
    Column("daemon_group_key", Text),
    Column("webhook_id", uuid_type),
    Column("error_handling", Text),
    Column("events_to_send", ARRAY(Text)),
    Column("meta", JSONB(none_as_null=True)),
    Column("enabled", Boolean, nullable=False, server_default=text("false")),
    Column("next_run_at", time_type),  # null while it is not enabled
    Column("last_run", JSONB(none_as_null=True)),  # the newest of its fires
    *times(),
    Index("sync_job_cron_trigger_page", "environment_id", "created_at", "id"),
    Index("sync_job_cron_trigger_due", "next_run_at", postgresql_where=text("next_run_at is not null")),
)

cron_trigger_fire = Table(
    "cron_trigger_fire",
    metadata,
    id_column(),
    environment_column(),
    Column(
        "sync_job_cron_trigger_id",
        uuid_type,
        ForeignKey("sync_job_cron_trigger.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("due_at", time_type, nullable=False),
    Column("sync_job_run_id", uuid_type),  # null when it made none
    Column("error", Text),  # why it made none
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    UniqueConstraint("sync_job_cron_trigger_id", "due_at", name="cron_trigger_fire_due"),
    Index("cron_trigger_fire_page", "environment_id", "created_at", "id"),
    Index("cron_trigger_fire_age", "created_at"),
)

sync_job_template = Table(
    "sync_job_template",
    metadata,
    id_column(),
    environment_column(),
    Column("label", Text, nullable=False),
    Column("integration_name", Text),
    Column("description", Text),
    Column("sharing", Text, nullable=False, server_default="deny"),
    Column("args_schema", JSONB, nullable=False),
    Column("args_validation", Text),
    Column("resources", JSONB, nullable=False),
    Column("default_runtime_version", Integer, nullable=False, server_default="3"),
    *times(),
    Index("sync_job_template_page", "environment_id", "created_at", "id"),
)

sync_job_run_state = Table(
    "sync_job_run_state",
    metadata,
    id_column(),
    environment_column(),
    Column("state_key", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", JSONB, nullable=False),
    Column("sync_job_run_id", uuid_type),  # no foreign key: a state outlives the run that it was written for
    *times(),
    UniqueConstraint("environment_id", "state_key", "key", name="sync_job_run_state_place"),
    Index("sync_job_run_state_page", "environment_id", "state_key", "created_at", "id"),
    Index("sync_job_run_state_by_run", "sync_job_run_id", postgresql_where=text("sync_job_run_id is not null")),
)
