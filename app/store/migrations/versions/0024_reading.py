"""A run shows how the lists of its resources are read: in parallel, ahead, or one page after the other."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("run_resource", sa.Column("reading", JSONB(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("run_resource", "reading")
