"""Runs that wait for their destinations, how destinations are told to webhooks, and their rebuilding."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0030"
down_revision = "0028"

_LIVE = "('created', 'running', 'rate_limited')"


def upgrade() -> None:
    for table in ("sync_job", "sync_job_run"):
        op.add_column(
            table, sa.Column("wait_for_destinations", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
    op.add_column("sync_job_run", sa.Column("landing_since", sa.TIMESTAMP(timezone=True)))
    op.add_column("sync_job_run", sa.Column("destinations", JSONB(none_as_null=True)))
    op.create_index(
        "sync_job_run_landing",
        "sync_job_run",
        ["landing_since"],
        postgresql_where=sa.text(f"landing_since is not null and status in {_LIVE}"),
    )
    op.add_column("destination", sa.Column("health", sa.Text(), server_default="well", nullable=False))
    op.create_check_constraint("destination_health", "destination", "health in ('well', 'behind', 'failing')")
    op.add_column(
        "destination_cursor", sa.Column("is_rebuilding", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("destination_cursor", sa.Column("no_room_until", sa.TIMESTAMP(timezone=True)))
    op.create_index(
        "destination_cursor_no_room",
        "destination_cursor",
        ["no_room_until"],
        postgresql_where=sa.text("no_room_until is not null"),
    )


def downgrade() -> None:
    op.drop_index("destination_cursor_no_room", "destination_cursor")
    op.drop_column("destination_cursor", "no_room_until")
    op.drop_column("destination_cursor", "is_rebuilding")
    op.drop_constraint("destination_health", "destination")
    op.drop_column("destination", "health")
    op.drop_index("sync_job_run_landing", "sync_job_run")
    for name in ("destinations", "landing_since", "wait_for_destinations"):
        op.drop_column("sync_job_run", name)
    op.drop_column("sync_job", "wait_for_destinations")
