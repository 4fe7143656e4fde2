"""What the records that are held are known by, and runs that know them by something else."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

from app.store.migrations.irreversible import restore_a_backup

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "record_key",
        sa.Column("integrated_account_id", UUID(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("webhook_id", UUID(), nullable=False),
        sa.Column("sync_job_id", UUID(), nullable=False),
        sa.Column("keys", JSONB(), nullable=False),
        sa.Column("args_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("integrated_account_id", "resource", "webhook_id", "sync_job_id"),
    )
    op.create_index("record_key_by_job", "record_key", ["sync_job_id"])
    op.add_column("run_resource", sa.Column("rekeying", JSONB()))
    op.add_column("record_seen", sa.Column("is_former", sa.Boolean(), nullable=False, server_default=sa.text("false")))


def downgrade() -> None:
    restore_a_backup(revision)
