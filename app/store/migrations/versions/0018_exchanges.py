"""What became of each resource's requests, and which call an account's credentials were refused for."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_TIME = sa.DateTime(timezone=True)
_EXCHANGES = ("requests", "answered", "answer_ms")
_ACCOUNTS = ("integrated_account", "deleted_account")


def upgrade() -> None:
    # Constant defaults: none rewrites the table. Resources of runs that are under way begin to count here.
    for name in _EXCHANGES:
        op.add_column("run_resource", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("run_resource", sa.Column("heard_at", _TIME))
    for table in _ACCOUNTS:
        op.add_column(table, sa.Column("refused_call", sa.Text()))
        op.add_column(table, sa.Column("refused_at", _TIME))


def downgrade() -> None:
    for name in (*_EXCHANGES, "heard_at"):
        op.drop_column("run_resource", name)
    for table in _ACCOUNTS:
        op.drop_column(table, "refused_at")
        op.drop_column(table, "refused_call")
