"""Notification destinations, their rules, incidents, and messages that wait to be sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0028"
down_revision = "0026"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "notification_destination",
        *_owned(),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("config_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("event_types", ARRAY(sa.Text())),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failing_since", _TIME),
        sa.Column("last_error", sa.Text()),
        *_times(),
        sa.CheckConstraint("type in ('slack', 'email', 'webhook')", name="notification_destination_type"),
    )
    _create_page_index("notification_destination")
    _create_rule()
    op.create_table(
        "notification_watermark",
        sa.Column("owner_id", _UUID, primary_key=True),
        _destination(),
        _rule(),
        sa.Column("watched_through", _TIME, nullable=False),
    )
    _create_incident()
    _create_notification()
    op.create_index(
        "integrated_account_to_reconnect",
        "integrated_account",
        ["environment_id"],
        postgresql_where=sa.text("status = 'needs_reauth'"),
    )


def _create_rule() -> None:
    op.create_table(
        "notification_rule",
        *_owned(),
        _destination(),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("sync_job_id", _UUID),
        sa.Column("integrated_account_id", _UUID),
        sa.Column("config", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_times(),
    )
    _create_page_index("notification_rule")
    op.create_index("notification_rule_by_destination", "notification_rule", ["notification_destination_id"])


def _create_incident() -> None:
    op.create_table(
        "incident",
        *_owned(),
        _destination(),
        _rule(),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("integrated_account_id", _UUID),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, server_default=_NOW, nullable=False),
        *(sa.Column(name, _TIME) for name in ("notified_at", "reminded_at", "resolved_at", "closed_at")),
    )
    rule = "coalesce(notification_rule_id, '00000000-0000-0000-0000-000000000000'::uuid)"
    op.create_index(
        "incident_open",
        "incident",
        ["notification_destination_id", sa.text(rule), "event", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_index("incident_by_subject", "incident", ["notification_destination_id", "event", "subject"])
    op.create_index("incident_by_account", "incident", ["integrated_account_id"])
    op.create_index("incident_closed", "incident", ["closed_at"], postgresql_where=sa.text("closed_at is not null"))


def _create_notification() -> None:
    op.create_table(
        "notification",
        *_owned(),
        _destination(),
        _rule(),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("due_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("lease_expires_at", _TIME),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("sent_at", _TIME),
        sa.Column("given_up_at", _TIME),
        sa.CheckConstraint("kind in ('opened', 'reminder', 'resolved')", name="notification_kind"),
    )
    op.create_index(
        "notification_due",
        "notification",
        ["notification_destination_id", "due_at"],
        postgresql_where=sa.text("sent_at is null and given_up_at is null"),
    )
    columns = ["notification_destination_id", "event", "cause", "created_at"]
    op.create_index("notification_by_group", "notification", columns)
    op.create_index("notification_age", "notification", ["created_at"])


def _create_page_index(table: str) -> None:
    op.create_index(f"{table}_page", table, ["environment_id", "created_at", "id"])


def _owned() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
    )


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
    )


def _destination() -> sa.Column[str]:
    owner = sa.ForeignKey("notification_destination.id", ondelete="CASCADE")
    return sa.Column("notification_destination_id", _UUID, owner, nullable=False)


def _rule() -> sa.Column[str]:
    return sa.Column("notification_rule_id", _UUID, sa.ForeignKey("notification_rule.id", ondelete="CASCADE"))


def downgrade() -> None:
    op.drop_index("integrated_account_to_reconnect", "integrated_account")
    for name in (
        *("notification", "incident", "notification_watermark", "notification_rule", "notification_destination"),
    ):
        op.drop_table(name)
