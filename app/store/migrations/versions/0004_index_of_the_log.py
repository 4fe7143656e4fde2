"""Keep the index of the accounts' log out of writers' plans: every row meets its condition, and only readers ask it."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.irreversible import restore_a_backup

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_index("record_by_sequence", table_name="record")
    op.create_index(
        "record_by_sequence",
        "record",
        ["integrated_account_id", "sequence"],
        postgresql_where=sa.text("sequence >= 0"),
    )


def downgrade() -> None:
    restore_a_backup(revision)
