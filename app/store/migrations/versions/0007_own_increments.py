"""Requests that no resume mends, which hold their resource's increment back; records that upstreams tell as deleted."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.irreversible import restore_a_backup

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Constant defaults: neither rewrites the table.
    op.add_column("run_resource", sa.Column("has_gaps", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("run_resource", sa.Column("tombstones", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    restore_a_backup(revision)
