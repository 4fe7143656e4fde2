"""The origins that the secrets of accounts and integrations were given for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("integrated_account", sa.Column("origins", ARRAY(sa.Text())))
    op.add_column("integrated_account", sa.Column("override_origins", ARRAY(sa.Text())))
    op.add_column("integration", sa.Column("origins", ARRAY(sa.Text())))
    op.add_column("environment_integration", sa.Column("origins", ARRAY(sa.Text())))


def downgrade() -> None:
    op.drop_column("environment_integration", "origins")
    op.drop_column("integration", "origins")
    op.drop_column("integrated_account", "override_origins")
    op.drop_column("integrated_account", "origins")
