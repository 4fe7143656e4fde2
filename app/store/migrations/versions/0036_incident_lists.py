"""Incidents are listed by their environment, the newest first."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0033"


def upgrade() -> None:
    op.add_column(
        "incident", sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    )
    # Those that are there were found shortly before they were told.
    op.execute("update incident set created_at = coalesce(notified_at, opened_at)")
    op.create_index("incident_page", "incident", ["environment_id", "created_at", "id"])
    op.create_index(
        "incident_page_open",
        "incident",
        ["environment_id", "created_at", "id"],
        postgresql_where=sa.text("resolved_at is null"),
    )


def downgrade() -> None:
    op.drop_index("incident_page_open", "incident")
    op.drop_index("incident_page", "incident")
    op.drop_column("incident", "created_at")
