"""Datastores, destinations, and how far each destination is in each account's log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "datastore",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("config_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
    )
    op.create_index("datastore_page", "datastore", ["environment_id", "created_at", "id"])
    _create_destination()
    _create_cursor()
    op.create_table(
        "destination_quarantine",
        _destination_column(),
        sa.Column("integrated_account_id", _UUID, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("destination_id", "integrated_account_id", "resource", "remote_id"),
    )


def _create_destination() -> None:
    op.create_table(
        "destination",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("datastore_id", _UUID, sa.ForeignKey("datastore.id"), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("integrated_account_id", _UUID),
        sa.Column("sync_job_id", _UUID),
        sa.Column("resources", JSONB()),
        sa.Column("mode", sa.Text(), server_default="merge", nullable=False),
        sa.Column("deletes", sa.Text(), server_default="soft", nullable=False),
        sa.Column("layout", sa.Text(), server_default="shared", nullable=False),
        sa.Column("options", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("daemon_group_key", sa.Text()),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_at", _TIME),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint("mode in ('merge', 'append')", name="destination_mode"),
        sa.CheckConstraint("deletes in ('soft', 'hard')", name="destination_deletes"),
        sa.CheckConstraint("layout in ('shared', 'tenant')", name="destination_layout"),
    )
    op.create_index("destination_page", "destination", ["environment_id", "created_at", "id"])
    op.create_index("destination_by_datastore", "destination", ["datastore_id"])


def _create_cursor() -> None:
    counters = ("read", "written", "unchanged", "quarantined", "filtered")
    op.create_table(
        "destination_cursor",
        _destination_column(),
        sa.Column("integrated_account_id", _UUID, nullable=False),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("cursor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("range_through", sa.BigInteger()),
        sa.Column("listed_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("rung_at", _TIME),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", _TIME),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", _TIME),
        sa.Column("last_error", sa.Text()),
        sa.Column("error_code", sa.Text()),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in counters),
        sa.Column("written_at", _TIME),
        sa.PrimaryKeyConstraint("destination_id", "integrated_account_id"),
        sa.CheckConstraint("status in ('waiting', 'writing', 'failing')", name="destination_cursor_status"),
        sa.CheckConstraint('"read" = written + unchanged + quarantined + filtered', name="destination_cursor_books"),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("destination_cursor_by_account", "destination_cursor", ["integrated_account_id"])
    op.create_index("destination_cursor_due", "destination_cursor", ["destination_id", "due_at"])
    op.create_index(
        "destination_cursor_leased",
        "destination_cursor",
        ["destination_id"],
        postgresql_where=sa.text("lease_until is not null"),
    )


def _destination_column() -> sa.Column[str]:
    return sa.Column("destination_id", _UUID, sa.ForeignKey("destination.id", ondelete="CASCADE"), nullable=False)


def downgrade() -> None:
    # What was written at destinations stays there.
    for name in ("destination_quarantine", "destination_cursor", "destination", "datastore"):
        op.drop_table(name)
