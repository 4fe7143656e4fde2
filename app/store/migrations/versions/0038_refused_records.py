"""Records that a target can not hold are quarantined."""

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


def downgrade() -> None:
    op.drop_index("destination_quarantine_refused", "destination_quarantine")
    op.drop_column("destination_quarantine", "refused_epoch")
