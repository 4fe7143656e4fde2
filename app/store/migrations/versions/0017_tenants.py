"""Tenants: what a customer is called, and what is noted of it, beside the id that its accounts have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0013"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_OF_ACCOUNTS = """
    insert into tenant (environment_id, id, name, created_at)
    select environment_id, tenant_id, tenant_id, min(created_at) from integrated_account
     where tenant_id ~ '^[A-Za-z0-9._:@+-]+$' and length(tenant_id) <= 256 and tenant_id <> 'bulk'
     group by environment_id, tenant_id
"""


def upgrade() -> None:
    op.create_table(
        "tenant",
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("metadata", JSONB(), server_default="{}", nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
    )
    op.create_index("tenant_page", "tenant", ["environment_id", "created_at", "id"])
    op.execute(_OF_ACCOUNTS)


def downgrade() -> None:
    # Names and notes of tenants are lost; the ids are in the accounts.
    op.drop_table("tenant")
