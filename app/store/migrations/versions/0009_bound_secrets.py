"""Formats of sealed values that are refused."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.irreversible import restore_a_backup

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "refused_seal",
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("format"),
    )


def downgrade() -> None:
    restore_a_backup(revision)
