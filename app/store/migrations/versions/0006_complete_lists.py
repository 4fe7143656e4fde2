"""How the ends of lists are known, what they were to hold, what was odd, and each resource's own increment."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.store.migrations.irreversible import restore_a_backup

revision = "0006"
down_revision = "0005"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Constant defaults: none of these rewrites the table.
    op.add_column("run_resource", sa.Column("unproven", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("run_resource", sa.Column("expected", sa.BigInteger()))
    op.add_column("run_resource", sa.Column("warnings", JSONB(), nullable=False, server_default="{}"))
    op.add_column("run_resource", sa.Column("has_paged", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("run_resource", sa.Column("previous_run_date", _TIME))
    op.add_column("run_resource", sa.Column("next_run_date", _TIME))


def downgrade() -> None:
    restore_a_backup(revision)
