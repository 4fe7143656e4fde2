"""Runs are found by status, args, error and tenant, and acted on all at once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0026"
down_revision = "0025"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()
_INDEXES = (
    ("sync_job_run_by_status", "sync_job_run"),
    ("sync_job_run_by_args", "sync_job_run"),
    ("sync_job_run_by_error", "sync_job_run"),
    ("run_error_by_code", "run_error"),
    ("integrated_account_by_tenant", "integrated_account"),
)


def upgrade() -> None:
    op.create_index("sync_job_run_by_status", "sync_job_run", ["environment_id", "status", "created_at", "id"])
    op.create_index(
        "sync_job_run_by_args",
        "sync_job_run",
        ["args"],
        postgresql_using="gin",
        postgresql_ops={"args": "jsonb_path_ops"},
        postgresql_where=sa.text("args <> '{}'::jsonb"),
    )
    op.create_index(
        "sync_job_run_by_error",
        "sync_job_run",
        ["environment_id", sa.text("(error ->> 'code'::text)"), "created_at", "id"],
        postgresql_where=sa.text("error is not null"),
    )
    op.create_index("run_error_by_code", "run_error", ["environment_id", "code", "run_id"])
    op.create_index("integrated_account_by_tenant", "integrated_account", ["environment_id", "tenant_id"])
    _create_bulk_action()
    _create_bulk_action_run()


def downgrade() -> None:
    op.drop_table("bulk_action_run")
    op.drop_table("bulk_action")
    for index, table in reversed(_INDEXES):
        op.drop_index(index, table)


def _create_bulk_action() -> None:
    statuses = "'counting', 'counted', 'acting', 'finished', 'cancelled'"
    op.create_table(
        "bulk_action",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filters", JSONB(), nullable=False),
        sa.Column("status", sa.Text(), server_default="counting", nullable=False),
        sa.Column("place_at", _TIME),
        sa.Column("place_id", _UUID),
        *(
            sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
            for name in ("counted", "done", "skipped", "failed")
        ),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("confirmed_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("last_error", sa.Text()),
        sa.CheckConstraint(f"status in ({statuses})", name="bulk_action_status"),
    )
    op.create_index("bulk_action_page", "bulk_action", ["environment_id", "created_at", "id"])
    is_open = sa.text("finished_at is null")
    op.create_index("bulk_action_open", "bulk_action", ["status", "updated_at"], postgresql_where=is_open)


def _create_bulk_action_run() -> None:
    op.create_table(
        "bulk_action_run",
        sa.Column("bulk_action_id", _UUID, sa.ForeignKey("bulk_action.id", ondelete="CASCADE"), nullable=False),
        sa.Column("run_id", _UUID, sa.ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
        sa.Column("resumes", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="pending", nullable=False),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("bulk_action_id", "run_id"),
    )
    op.create_index("bulk_action_run_of_run", "bulk_action_run", ["run_id"])
    op.create_index("bulk_action_run_by_outcome", "bulk_action_run", ["bulk_action_id", "outcome", "run_id"])
