"""Records that come again within a run are counted apart from those that were held as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("run_resource", sa.Column("repeated", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.execute("update run_resource set unchanged = unchanged + repeated where repeated <> 0")
    op.drop_column("run_resource", "repeated")
