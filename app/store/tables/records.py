"""What was synced: records, and the log that numbers their changes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.store.tables.base import metadata, time_type, uuid_type

record = Table(
    "record",
    metadata,
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("resource", Text, nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("sync_job_run_id", uuid_type, nullable=False),  # the last run that saw it
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("updated_at", time_type, nullable=False, server_default=func.now()),  # when its content last changed
    Column("synced_at", time_type, nullable=False, server_default=func.now()),  # when a run last saw it
    Column("sequence", BigInteger, nullable=False, server_default="0"),  # of its last change in the account's log
    Column("deleted_at", time_type),  # a tombstone: vanished upstream
    PrimaryKeyConstraint("integrated_account_id", "resource", "remote_id"),
    # Every row meets its condition, and only who reads the log asks for it: without statistics Postgres would else take
    # this index to find a page's ids among all that the account holds.
    Index("record_by_sequence", "integrated_account_id", "sequence", postgresql_where=text("sequence >= 0")),
    Index("record_tombstone", "deleted_at", postgresql_where=text("deleted_at is not null")),
    # Times grow with the table: a few bytes per megabyte serve the filters on them, where a B-tree would slow each row.
    Index("record_by_time", "updated_at", "synced_at", "created_at", postgresql_using="brin"),
)

# The last number that was taken in an account's log. Its row is locked from there to the commit, so that whoever has
# read up to a number has missed nothing before it.
account_log = Table(
    "account_log",
    metadata,
    Column("integrated_account_id", uuid_type, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False, server_default="0"),
    Column("trimmed_through", BigInteger, nullable=False, server_default="0"),  # retention removed up to here
    postgresql_with={"fillfactor": "50"},
)

# How many records an account has of each resource: counted by the leader now and then, of accounts that may have many.
record_count = Table(
    "record_count",
    metadata,
    Column("integrated_account_id", uuid_type, primary_key=True),
    Column("counts", JSONB, nullable=False),  # by resource, without tombstones
    Column("counted_through", BigInteger, nullable=False),  # exact for as long as the account's log ends there
    Column("counted_at", time_type, nullable=False),
    Column("seconds", Double, nullable=False),  # that the count took
)

# Which records a pass with delete tracking has seen, a row per page: what is not among them has vanished.
record_seen = Table(
    "record_seen",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("resource_id", uuid_type, ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=False),
    Column("remote_ids", ARRAY(Text), nullable=False),
    # The ids that the records had by a key which theirs has taken the place of.
    Column("is_former", Boolean, nullable=False, server_default=text("false")),
    Index("record_seen_by_resource", "resource_id"),
)

# What the records that a job has brought are known by: more than one key while rows of a former one may be there.
record_key = Table(
    "record_key",
    metadata,
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("resource", Text, nullable=False),
    Column("webhook_id", uuid_type, nullable=False),  # that they were sent to; all zeros: they are persisted
    Column("sync_job_id", uuid_type, nullable=False),
    Column("keys", JSONB, nullable=False),
    Column("args_hash", LargeBinary, nullable=False),  # of the first run
    Column("is_shared", Boolean, nullable=False, server_default=text("false")),  # runs with other args bring them too
    Column("changed_at", time_type),  # when a run first brought records by another key
    PrimaryKeyConstraint("integrated_account_id", "resource", "webhook_id", "sync_job_id"),
    Index("record_key_by_job", "sync_job_id"),
)
