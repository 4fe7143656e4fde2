"""Runs that ended with errors that nothing has mended are found by an index; records of large accounts are counted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.store.migrations.locking import lock_tables

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    # Reads all resources, so before the lock; runs that end meanwhile are none: no process of before works beside this.
    op.execute(
        "create temporary table flawed on commit drop as "
        "select distinct run_id from run_resource where errors > retried"
    )
    lock_tables("sync_job_run")
    op.add_column("sync_job_run", sa.Column("has_errors", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "update sync_job_run set has_errors = true from flawed where id = flawed.run_id and finished_at is not null"
    )
    op.create_index(
        "sync_job_run_with_errors",
        "sync_job_run",
        ["environment_id", "created_at", "id"],
        postgresql_where=sa.text("has_errors"),
    )
    op.create_table(
        "record_count",
        sa.Column("integrated_account_id", sa.UUID(as_uuid=False), primary_key=True),
        sa.Column("counts", JSONB(), nullable=False),
        sa.Column("counted_through", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("record_count")
    op.drop_index("sync_job_run_with_errors", "sync_job_run")
    op.drop_column("sync_job_run", "has_errors")
