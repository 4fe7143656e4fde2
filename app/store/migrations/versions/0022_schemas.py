"""What is known of the columns of records, and how far in each account's log it was learned."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0022"
down_revision = "0021"

_TIME = sa.DateTime(timezone=True)
_ID = UUID(as_uuid=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, _TIME, nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    op.create_table(
        "resource_schema",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("environment_id", _ID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("integration_name", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("columns", JSONB(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("policy", sa.Text(), nullable=False, server_default="evolve"),
        sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("view_schema", sa.Text()),
        sa.Column("view_name", sa.Text()),
        sa.Column("view_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("view_error", sa.Text()),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("policy in ('evolve', 'notify', 'freeze')", name="resource_schema_policy"),
        sa.UniqueConstraint("environment_id", "integration_name", "resource", name="resource_schema_place"),
        sa.UniqueConstraint("view_schema", "view_name", name="resource_schema_view"),
        sa.Index("resource_schema_page", "environment_id", "created_at", "id"),
    )
    op.create_table(
        "resource_schema_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("schema_id", _ID, sa.ForeignKey("resource_schema.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("details", JSONB(), nullable=False),
        _time("created_at"),
        sa.Index("resource_schema_change_by_schema", "schema_id", "id"),
    )
    op.create_table(
        "schema_cursor",
        sa.Column("integrated_account_id", _ID, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "environment_reader",
        sa.Column("environment_id", _ID, sa.ForeignKey("environment.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        _time("created_at"),
        _time("updated_at"),
    )


def downgrade() -> None:
    for name in ("environment_reader", "schema_cursor", "resource_schema_change", "resource_schema"):
        op.drop_table(name)
