"""Records from before 0002 get their numbers in the log beside the work: here it is only noted that they are to."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_TIME = sa.DateTime(timezone=True)

# An empty table has none to number.
_NOTE = """
    insert into online_migration (name, finished_at)
    values ('record_numbers', case when not exists (select from record) then now() end)
"""


def upgrade() -> None:
    op.create_table(
        "online_migration",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("place", sa.UUID(as_uuid=False)),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("finished_at", _TIME),
    )
    op.execute(_NOTE)


def downgrade() -> None:
    # Records that were numbered stay so, which the version before reads as any others.
    op.drop_table("online_migration")
