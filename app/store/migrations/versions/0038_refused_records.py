"""Records that a target can not hold are quarantined; how destinations stand is kept, and no more counted each time."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    # No row has one yet: the index is built of nothing, by one look at the table.
    op.add_column("destination_quarantine", sa.Column("refused_epoch", sa.Integer()))
    op.create_index(
        "destination_quarantine_refused",
        "destination_quarantine",
        ["destination_id", "integrated_account_id", "sequence"],
        postgresql_where=sa.text("refused_epoch is not null"),
    )
    op.create_table(
        "destination_state",
        sa.Column(
            "destination_id",
            sa.UUID(as_uuid=False),
            sa.ForeignKey("destination.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("failing", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("lag_records", sa.BigInteger(), nullable=False),
        sa.Column("oldest_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "destination_cursor_failing",
        "destination_cursor",
        ["error_code", "destination_id"],
        postgresql_where=sa.text("error_code is not null"),
    )


def downgrade() -> None:
    op.drop_index("destination_cursor_failing", "destination_cursor")
    op.drop_table("destination_state")
    op.drop_index("destination_quarantine_refused", "destination_quarantine")
    op.drop_column("destination_quarantine", "refused_epoch")
