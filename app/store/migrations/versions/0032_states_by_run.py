"""States are found by their run: retention asks whether a run has any."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.create_index(
        "sync_job_run_state_by_run",
        "sync_job_run_state",
        ["sync_job_run_id"],
        postgresql_where=sa.text("sync_job_run_id is not null"),
    )


def downgrade() -> None:
    op.drop_index("sync_job_run_state_by_run", "sync_job_run_state")
