"""What the whole surface keeps: unified models, triggers, states, templates, overrides, roles of tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.store.migrations.irreversible import restore_a_backup

revision = "0003"
down_revision = "0002"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _encryption_keys()
    _add_unified_models()
    _account_errors()
    _cron_triggers()
    _templates_and_states()
    _spools()
    _installed_integrations()
    _events_and_changes()
    _account_overrides()
    _allow_deliveries_without_run()
    _token_roles()


def downgrade() -> None:
    restore_a_backup(revision)


def _encryption_keys() -> None:
    op.create_table(
        "encryption_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("is_current"),
    )


def _add_unified_models() -> None:
    empty = sa.text("'{}'")
    op.add_column(
        "integrated_account",
        sa.Column("unified_model_override", postgresql.JSONB(), nullable=False, server_default=empty),
    )
    op.create_table(
        "unified_model",
        *_owned(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("sharing", sa.Text(), nullable=False, server_default="deny"),
        sa.Column("resources", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        *_times(),
        sa.UniqueConstraint("environment_id", "name", name="unified_model_environment_name"),
    )
    op.create_table(
        "environment_unified_model",
        *_owned(),
        _child_of("unified_model"),
        sa.Column("override", postgresql.JSONB(), nullable=False),
        *_times(),
        sa.UniqueConstraint("unified_model_id", name="environment_unified_model_model"),
    )
    place = ("unified_model_id", "integration_name", "resource_name", "method_name", "layer")
    op.create_table(
        "unified_model_method",
        *_owned(),
        _child_of("unified_model"),
        _child_of("environment_unified_model", nullable=True),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("integration_name", sa.Text(), nullable=False),
        sa.Column("resource_name", sa.Text(), nullable=False),
        sa.Column("method_name", sa.Text(), nullable=False),
        sa.Column("config", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        *_times(),
        sa.CheckConstraint("layer in ('base', 'environment')", name="unified_model_method_layer"),
        sa.UniqueConstraint(*place, name="unified_model_method_place"),
    )
    page = ["environment_id", "layer", "created_at", "id"]
    op.create_index("unified_model_method_page", "unified_model_method", page)


def _owned() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
    )


def _child_of(table: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(f"{table}_id", _UUID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", _TIME, nullable=False, server_default=sa.func.now()),
    )


def _account_errors() -> None:
    op.add_column("integrated_account", sa.Column("last_error", sa.Text(), nullable=True))


def _cron_triggers() -> None:
    op.create_table(
        "sync_job_cron_trigger",
        *_owned(),
        sa.Column("sync_job_id", _UUID, nullable=False),
        sa.Column("integrated_account_id", _UUID, nullable=False),
        sa.Column("cron_expression", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("args", postgresql.JSONB(), nullable=False),
        sa.Column("resources", postgresql.JSONB()),
        sa.Column("daemon_group_key", sa.Text()),
        sa.Column("webhook_id", _UUID),
        sa.Column("error_handling", sa.Text()),
        sa.Column("events_to_send", postgresql.ARRAY(sa.Text())),
        sa.Column("meta", postgresql.JSONB()),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("next_run_at", _TIME),
        sa.Column("last_run", postgresql.JSONB()),
        *_times(),
    )
    op.create_index("sync_job_cron_trigger_page", "sync_job_cron_trigger", ["environment_id", "created_at", "id"])
    is_due = sa.text("next_run_at is not null")
    op.create_index("sync_job_cron_trigger_due", "sync_job_cron_trigger", ["next_run_at"], postgresql_where=is_due)
    op.create_table(
        "cron_trigger_fire",
        *_owned(),
        _child_of("sync_job_cron_trigger"),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("sync_job_run_id", _UUID),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("sync_job_cron_trigger_id", "due_at", name="cron_trigger_fire_due"),
    )
    op.create_index("cron_trigger_fire_page", "cron_trigger_fire", ["environment_id", "created_at", "id"])
    op.create_index("cron_trigger_fire_age", "cron_trigger_fire", ["created_at"])


def _templates_and_states() -> None:
    op.create_table(
        "sync_job_template",
        *_owned(),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("integration_name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("sharing", sa.Text(), nullable=False, server_default="deny"),
        sa.Column("args_schema", postgresql.JSONB(), nullable=False),
        sa.Column("args_validation", sa.Text()),
        sa.Column("resources", postgresql.JSONB(), nullable=False),
        sa.Column("default_runtime_version", sa.Integer(), nullable=False, server_default="3"),
        *_times(),
    )
    op.create_index("sync_job_template_page", "sync_job_template", ["environment_id", "created_at", "id"])
    op.create_table(
        "sync_job_run_state",
        *_owned(),
        sa.Column("state_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("sync_job_run_id", _UUID),
        *_times(),
        sa.UniqueConstraint("environment_id", "state_key", "key", name="sync_job_run_state_place"),
    )
    page = ["environment_id", "state_key", "created_at", "id"]
    op.create_index("sync_job_run_state_page", "sync_job_run_state", page)


def _spools() -> None:
    op.create_table(
        "spool_batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("resource_id", _UUID, sa.ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=False),
        sa.Column("closed_as", _UUID, nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
    )
    op.create_index("spool_batch_by_resource", "spool_batch", ["resource_id", "id"])
    op.create_index("spool_batch_closed", "spool_batch", ["closed_as", "id"])


def _installed_integrations() -> None:
    op.create_table(
        "environment_integration",
        *_owned(),
        _child_of("integration"),
        sa.Column("override", postgresql.JSONB(), nullable=False),
        sa.Column("show_in_catalog", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        *_times(),
        sa.UniqueConstraint("integration_id", name="environment_integration_integration"),
    )


def _events_and_changes() -> None:
    no = sa.text("false")
    op.add_column("webhook", sa.Column("changes_only", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("sync_job_run", sa.Column("state_key", sa.Text()))
    op.add_column("sync_job_run", sa.Column("events_to_send", postgresql.ARRAY(sa.Text())))
    op.add_column("sync_job_run", sa.Column("changes_only", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("sync_job_run", sa.Column("deletions_decided", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("run_resource", sa.Column("withheld", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("remote_ids", postgresql.ARRAY(sa.Text())))
    op.create_table(
        "webhook_record",
        sa.Column("webhook_id", _UUID, nullable=False),
        sa.Column("integrated_account_id", _UUID, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("delivery_id", _UUID, nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", _TIME),
        sa.PrimaryKeyConstraint("webhook_id", "integrated_account_id", "resource", "remote_id"),
    )
    is_gone = sa.text("deleted_at is not null")
    op.create_index("webhook_record_tombstone", "webhook_record", ["deleted_at"], postgresql_where=is_gone)


def _account_overrides() -> None:
    override = sa.Column("integration_override", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'"))
    op.add_column("integrated_account", override)
    op.add_column("integrated_account", sa.Column("last_forbidden_error", postgresql.JSONB()))


def _allow_deliveries_without_run() -> None:
    op.alter_column("delivery", "run_id", nullable=True)
    op.add_column("delivery", sa.Column("wake_at", _TIME))
    of_no_run = "run_id is null"
    op.create_index("delivery_announced", "delivery", ["created_at"], postgresql_where=sa.text(of_no_run))
    waiting = sa.text(f"{of_no_run} and status = 'pending'")
    op.create_index("delivery_to_announce", "delivery", ["sequence"], postgresql_where=waiting)


def _token_roles() -> None:
    op.add_column("api_token", sa.Column("role", sa.Text(), nullable=False, server_default="admin"))
    op.add_column("api_token", sa.Column("created_by", _UUID))
    op.add_column("api_token", sa.Column("updated_at", _TIME, nullable=False, server_default=sa.text("now()")))
    op.create_check_constraint("api_token_role", "api_token", "role in ('read', 'run', 'admin')")
