"""Where people are notified of what is wrong, by which rules, what is wrong, and what was sent."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type

notification_destination = Table(
    "notification_destination",
    metadata,
    id_column(),
    environment_column(),
    Column("type", Text, nullable=False),
    Column("label", Text),
    Column("config_encrypted", LargeBinary, nullable=False),  # all of it: an address of Slack's is a secret
    Column("event_types", ARRAY(Text)),  # null: every event that a rule watches
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("failing_since", time_type),  # the first failure after the last success
    Column("last_error", Text),
    *times(),
    CheckConstraint("type in ('slack', 'email', 'webhook')", name="notification_destination_type"),
    Index("notification_destination_page", "environment_id", "created_at", "id"),
)


def _destination_column() -> Column[str]:
    owner = ForeignKey("notification_destination.id", ondelete="CASCADE")
    return Column("notification_destination_id", uuid_type, owner, nullable=False)


def _rule_column() -> Column[str]:
    return Column("notification_rule_id", uuid_type, ForeignKey("notification_rule.id", ondelete="CASCADE"))


notification_rule = Table(
    "notification_rule",
    metadata,
    id_column(),
    environment_column(),
    _destination_column(),
    Column("event", Text, nullable=False),
    Column("label", Text),
    # No foreign keys: a rule of a job or an account that is gone watches nothing.
    Column("sync_job_id", uuid_type),
    Column("integrated_account_id", uuid_type),
    Column("config", JSONB, nullable=False, server_default=text("'{}'")),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    *times(),
    Index("notification_rule_page", "environment_id", "created_at", "id"),
    Index("notification_rule_by_destination", "notification_destination_id"),
)

# How far what happens is looked through; apart from its owner, whose row changes only when somebody changes it.
notification_watermark = Table(
    "notification_watermark",
    metadata,
    Column("owner_id", uuid_type, primary_key=True),  # a rule, or a destination without rules
    _destination_column(),
    _rule_column(),
    Column("watched_through", time_type, nullable=False),
)

_NO_RULE = "'00000000-0000-0000-0000-000000000000'::uuid"

# What is wrong, once for each destination that is notified of it.
incident = Table(
    "incident",
    metadata,
    id_column(),
    environment_column(),
    _destination_column(),
    _rule_column(),  # null: the destination has no rules
    Column("event", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what it is about: the id of a run, or those of an account and a job
    Column("cause", Text, nullable=False, server_default=""),  # incidents of one cause are sent together
    Column("integrated_account_id", uuid_type),  # whose erasure erases it
    Column("facts", JSONB, nullable=False),
    Column("count", BigInteger, nullable=False, server_default="1"),
    Column("opened_at", time_type, nullable=False),
    Column("last_seen_at", time_type, nullable=False, server_default=func.now()),
    Column("notified_at", time_type),
    Column("reminded_at", time_type),
    Column("resolved_at", time_type),  # it is over; until that is sent it may come up again
    Column("closed_at", time_type),  # nothing of it is left to be told
    Column("created_at", time_type, nullable=False, server_default=func.now()),  # when it was found
    Index(
        "incident_open",
        "notification_destination_id",
        text(f"coalesce(notification_rule_id, {_NO_RULE})"),
        "event",
        "subject",
        unique=True,
        postgresql_where=text("closed_at is null"),
    ),
    Index("incident_page", "environment_id", "created_at", "id"),
    Index("incident_page_open", "environment_id", "created_at", "id", postgresql_where=text("resolved_at is null")),
    Index("incident_by_subject", "notification_destination_id", "event", "subject"),
    Index("incident_by_account", "integrated_account_id"),
    Index("incident_closed", "closed_at", postgresql_where=text("closed_at is not null")),
)

# Messages, made in the transaction that notes their incidents as told.
notification = Table(
    "notification",
    metadata,
    id_column(),  # the message's id: the same at every attempt
    environment_column(),
    _destination_column(),
    _rule_column(),
    Column("event", Text, nullable=False),
    Column("cause", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    Column("message", JSONB, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("due_at", time_type, nullable=False, server_default=func.now()),
    Column("lease_expires_at", time_type),  # until when it is under way
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("sent_at", time_type),
    Column("given_up_at", time_type),
    CheckConstraint("kind in ('opened', 'reminder', 'resolved')", name="notification_kind"),
    Index(
        "notification_due",
        "notification_destination_id",
        "due_at",
        postgresql_where=text("sent_at is null and given_up_at is null"),
    ),
    Index("notification_by_group", "notification_destination_id", "event", "cause", "created_at"),
    Index("notification_age", "created_at"),
)
