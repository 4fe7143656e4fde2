"""Deliveries whose receivers take their time: who has them under way, what was split, and secrets that are replaced."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0013"
down_revision = "0016"

_IS_ANNOUNCED = "run_id is null and status = 'pending'"
_DUE_SINCE = sa.text("coalesce(wake_at, '-infinity'::timestamp with time zone)")


def upgrade() -> None:
    op.add_column("unit", sa.Column("webhook_id", UUID()))
    op.create_index(
        "unit_of_webhook",
        "unit",
        ["webhook_id", "status"],
        postgresql_where=sa.text("kind = 'delivery' and status in ('ready', 'leased') and webhook_id is not null"),
    )
    op.add_column("delivery", sa.Column("part", sa.Text(), nullable=False, server_default=""))
    op.add_column("delivery", sa.Column("part_of", UUID()))
    op.add_column("delivery", sa.Column("lease_expires_at", sa.DateTime(timezone=True)))
    op.drop_index("delivery_to_announce", table_name="delivery")
    op.create_index("delivery_to_announce", "delivery", [_DUE_SINCE], postgresql_where=sa.text(_IS_ANNOUNCED))
    op.create_index(
        "delivery_to_announce_by_webhook",
        "delivery",
        ["webhook_id", _DUE_SINCE, "sequence"],
        postgresql_where=sa.text(_IS_ANNOUNCED),
    )
    op.create_index(
        "delivery_announcing",
        "delivery",
        ["webhook_id"],
        postgresql_where=sa.text("run_id is null and lease_expires_at is not null"),
    )
    op.add_column("webhook", sa.Column("previous_secret_encrypted", sa.LargeBinary()))
    op.add_column("webhook", sa.Column("previous_secret_expires_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Parts that wait keep their place, in no order among themselves; a secret that was replaced ends at once."""
    op.drop_column("webhook", "previous_secret_expires_at")
    op.drop_column("webhook", "previous_secret_encrypted")
    op.drop_index("delivery_announcing", table_name="delivery")
    op.drop_index("delivery_to_announce_by_webhook", table_name="delivery")
    op.drop_index("delivery_to_announce", table_name="delivery")
    op.create_index("delivery_to_announce", "delivery", ["sequence"], postgresql_where=sa.text(_IS_ANNOUNCED))
    op.drop_column("delivery", "lease_expires_at")
    op.drop_column("delivery", "part_of")
    op.drop_column("delivery", "part")
    op.drop_index("unit_of_webhook", table_name="unit")
    op.drop_column("unit", "webhook_id")
