"""What the engine keeps to lose nothing: one log per account, tombstones, mutexes, frozen bounds, endpoint health."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.store.migrations.irreversible import restore_a_backup

revision = "0002"
down_revision = "0001"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_LIVE = "status in ('created', 'running', 'rate_limited')"


def upgrade() -> None:
    op.add_column("sync_job", sa.Column("overlap_seconds", sa.Integer()))
    op.add_column("webhook", sa.Column("failing_since", _TIME))
    op.add_column("webhook", sa.Column("disabled_reason", sa.Text()))
    _widen_runs()
    op.add_column("run_resource", sa.Column("delete_tracking", sa.Text()))
    op.add_column("run_resource", sa.Column("retried", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("run_resource", sa.Column("first_sequence", sa.BigInteger()))
    op.add_column("run_resource", sa.Column("last_sequence", sa.BigInteger()))
    op.add_column("unit", sa.Column("idle_slices", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("daemon", sa.Column("consumed_at", _TIME))
    _keep_log()
    _widen_deliveries()
    _index_for_sweeps()
    _index_for_retention()


def downgrade() -> None:
    restore_a_backup(revision)


def _widen_runs() -> None:
    for column in (
        sa.Column("upper_bound", _TIME),
        sa.Column("overlap_seconds", sa.Integer(), nullable=False, server_default="120"),
        sa.Column("mutex_key", sa.Text()),
        sa.Column("force", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("retry_after", _TIME),
        sa.Column("resumes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("begun_at", _TIME),
        sa.Column("completed_at", _TIME),
    ):
        op.add_column("sync_job_run", column)
    op.execute(
        "update sync_job_run set begun_at = started_at "
        "where exists (select from unit where unit.run_id = sync_job_run.id)"
    )
    op.create_index(
        "sync_job_run_mutex",
        "sync_job_run",
        ["sync_job_id", "mutex_key", "created_at"],
        postgresql_where=sa.text(f"mutex_key is not null and {_LIVE}"),
    )
    op.create_index(
        "sync_job_run_not_completed",
        "sync_job_run",
        ["environment_id", "created_at", "id"],
        postgresql_where=sa.text("status <> 'completed'"),
    )


def _keep_log() -> None:
    op.add_column("record", sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("record", sa.Column("deleted_at", _TIME))
    op.create_index("record_by_sequence", "record", ["integrated_account_id", "sequence"])
    op.create_index("record_by_time", "record", ["updated_at", "synced_at", "created_at"], postgresql_using="brin")
    op.drop_index("record_by_account", "record")
    op.drop_index("record_by_run", "record")
    op.create_table(
        "account_log",
        sa.Column("integrated_account_id", _UUID, primary_key=True),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("trimmed_through", sa.BigInteger(), nullable=False, server_default="0"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "record_seen",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("resource_id", _UUID, sa.ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=False),
        sa.Column("remote_ids", postgresql.ARRAY(sa.Text()), nullable=False),
    )
    op.create_index("record_seen_by_resource", "record_seen", ["resource_id"])


def _widen_deliveries() -> None:
    for column in (
        sa.Column("integrated_account_id", _UUID),
        sa.Column("log_sequence", sa.BigInteger()),
        sa.Column("previous_log_sequence", sa.BigInteger()),
        sa.Column("last_attempt_at", _TIME),
    ):
        op.add_column("delivery", column)
    op.create_index("delivery_by_webhook", "delivery", ["webhook_id", "created_at", "id"])
    op.create_index(
        "delivery_log",
        "delivery",
        ["integrated_account_id", "log_sequence"],
        postgresql_where=sa.text("log_sequence is not null"),
    )


def _index_for_sweeps() -> None:
    op.drop_index("unit_live", "unit")
    for name, table, column, where in (
        ("unit_parked", "unit", "wake_at", "status = 'ready' and rung_at < wake_at"),
        ("unit_unheard", "unit", "rung_at", "status = 'ready' and (wake_at is null or wake_at <= rung_at)"),
        ("unit_leased", "unit", "rung_at", "status = 'leased'"),
    ):
        op.create_index(name, table, [column], postgresql_where=sa.text(where))


def _index_for_retention() -> None:
    for name, table, columns, where in (
        ("sync_job_run_finished", "sync_job_run", ["finished_at", "id"], "finished_at is not null"),
        ("record_tombstone", "record", ["deleted_at"], "deleted_at is not null"),
        ("delivery_with_body", "delivery", ["delivered_at"], "status = 'delivered' and octet_length(body) > 0"),
    ):
        op.create_index(name, table, columns, postgresql_where=sa.text(where))
