"""Requests that could not be made and that no resume mends: they hold their resource's increment back."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # A constant default does not rewrite the table.
    op.add_column("run_resource", sa.Column("has_gaps", sa.Boolean(), nullable=False, server_default=sa.text("false")))
