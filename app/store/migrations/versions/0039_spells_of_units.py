"""Units keep when they were worked on; daemons are known by what they lease units as."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.store.migrations.locking import lock_tables

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    lock_tables("unit", "daemon")
    op.add_column("unit", sa.Column("held_since", sa.DateTime(timezone=True)))
    op.add_column("unit", sa.Column("worked", JSONB(), server_default="[]", nullable=False))
    op.add_column("daemon", sa.Column("lease_owner", sa.UUID(as_uuid=False)))


def downgrade() -> None:
    op.drop_column("daemon", "lease_owner")
    op.drop_column("unit", "worked")
    op.drop_column("unit", "held_since")
