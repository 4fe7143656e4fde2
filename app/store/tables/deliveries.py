"""Events on their way to webhooks, and what a webhook knows of records."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.engine.status import DeliveryStatus
from app.store.tables.base import id_column, metadata, time_type, uuid_type
from app.store.tables.statuses import any_of, known_statuses

FAILED = (DeliveryStatus.DEAD_LETTERED, DeliveryStatus.QUARANTINED)
"""What a person may have sent again."""

_DUE_SINCE = text("coalesce(wake_at, '-infinity'::timestamp with time zone)")

delivery = Table(
    "delivery",
    metadata,
    id_column(),  # the event's id: the same at every attempt
    Column("sequence", BigInteger, Identity(always=True), nullable=False),  # the order of events within a run
    # Of what was split: 0 and 1 are its halves, 10 and 11 those of the second one; they share its sequence.
    Column("part", Text, nullable=False, server_default=""),
    Column("part_of", uuid_type),  # the event that was split
    # Null for events that belong to no run, which the leader sends.
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE")),
    Column("resource_id", uuid_type),
    Column("webhook_id", uuid_type, nullable=False),
    Column("integrated_account_id", uuid_type),
    Column("log_sequence", BigInteger),  # a record batch's number in its account's log
    Column("previous_log_sequence", BigInteger),  # that of the batch before it to the same webhook
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the exact bytes that are signed and sent
    Column("records", Integer, nullable=False, server_default="0"),
    Column("remote_ids", ARRAY(Text)),  # its records, where the webhook gets changes only
    Column("status", Text, nullable=False, server_default=DeliveryStatus.PENDING.value),  # a DeliveryStatus
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("last_attempt_at", time_type),
    Column("delivered_at", time_type),
    Column("wake_at", time_type),  # when an event of no run is tried again
    Column("lease_expires_at", time_type),  # until when an event of no run is under way
    known_statuses(DeliveryStatus, "delivery_status"),
    Index("delivery_by_run", "run_id"),
    Index("delivery_by_webhook", "webhook_id", "created_at", "id"),
    # Hardly any fails: who looks for those would read through all others.
    Index("delivery_failed", "webhook_id", "created_at", "id", postgresql_where=text(f"status in {any_of(FAILED)}")),
    Index(
        "delivery_log",
        "integrated_account_id",
        "log_sequence",
        postgresql_where=text("log_sequence is not null"),
    ),
    Index(
        "delivery_with_body",
        "delivered_at",
        postgresql_where=text(f"status = '{DeliveryStatus.DELIVERED}' and octet_length(body) > 0"),
    ),
    Index("delivery_announced", "created_at", postgresql_where=text("run_id is null")),
    # Those whose time has come first: whether there are any, and which are a webhook's.
    Index(
        "delivery_to_announce",
        _DUE_SINCE,
        postgresql_where=text(f"run_id is null and status = '{DeliveryStatus.PENDING}'"),
    ),
    Index(
        "delivery_to_announce_by_webhook",
        "webhook_id",
        _DUE_SINCE,
        "sequence",
        postgresql_where=text(f"run_id is null and status = '{DeliveryStatus.PENDING}'"),
    ),
    Index(
        "delivery_announcing",
        "webhook_id",
        postgresql_where=text("run_id is null and lease_expires_at is not null"),
    ),
    Index("delivery_pending", "run_id", "sequence", postgresql_where=text(f"status = '{DeliveryStatus.PENDING}'")),
)

# What a webhook that asks for changes only last got of a record; its data is kept nowhere.
webhook_record = Table(
    "webhook_record",
    metadata,
    Column("webhook_id", uuid_type, nullable=False),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("resource", Text, nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),  # empty: the webhook did not get the record
    Column("delivery_id", uuid_type, nullable=False),  # the event that brought it
    Column("is_new", Boolean, nullable=False),  # it got the record for the first time
    Column("deleted_at", time_type),  # it got an event that the record has vanished
    PrimaryKeyConstraint("webhook_id", "integrated_account_id", "resource", "remote_id"),
    Index("webhook_record_tombstone", "deleted_at", postgresql_where=text("deleted_at is not null")),
)
