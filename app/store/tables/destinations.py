"""Datastores, the destinations that write into them, and how far each of those is in each account's log."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.status import CursorStatus
from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type
from app.store.tables.statuses import known_statuses

datastore = Table(
    "datastore",
    metadata,
    id_column(),
    environment_column(),
    Column("type", Text, nullable=False),
    Column("label", Text),
    Column("config_encrypted", LargeBinary, nullable=False),  # all of it: an address may hold a password
    *times(),
    Index("datastore_page", "environment_id", "created_at", "id"),
)

destination = Table(
    "destination",
    metadata,
    id_column(),
    environment_column(),
    Column("datastore_id", uuid_type, ForeignKey("datastore.id"), nullable=False),
    Column("label", Text),
    # No foreign keys: a destination without its account or job reads nothing, and its tables stay.
    Column("integrated_account_id", uuid_type),
    Column("sync_job_id", uuid_type),
    Column("resources", JSONB(none_as_null=True)),  # null: all
    Column("mode", Text, nullable=False, server_default="merge"),
    Column("deletes", Text, nullable=False, server_default="soft"),
    Column("layout", Text, nullable=False, server_default="shared"),
    Column("options", JSONB, nullable=False, server_default=text("'{}'")),
    Column("daemon_group_key", Text),
    Column("epoch", Integer, nullable=False, server_default="0"),  # of its last backfill: how many there were
    Column("paused_at", time_type),
    Column("health", Text, nullable=False, server_default="well"),  # as the last event said
    *times(),
    CheckConstraint("mode in ('merge', 'append')", name="destination_mode"),
    CheckConstraint("deletes in ('soft', 'hard')", name="destination_deletes"),
    CheckConstraint("health in ('well', 'behind', 'failing')", name="destination_health"),
    CheckConstraint("layout in ('shared', 'tenant')", name="destination_layout"),
    Index("destination_page", "environment_id", "created_at", "id"),
    Index("destination_by_datastore", "datastore_id"),
)

# The unit of work: one account's log at one destination.
destination_cursor = Table(
    "destination_cursor",
    metadata,
    Column("destination_id", uuid_type, ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("status", Text, nullable=False, server_default=CursorStatus.WAITING.value),
    Column("cursor", BigInteger, nullable=False, server_default="0"),  # everything up to it is written
    Column("range_through", BigInteger),  # the end of the range that is being written, fixed before it is
    Column("listed_through", BigInteger, nullable=False, server_default="0"),  # gaps up to it were filled by a listing
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("due_at", time_type, nullable=False, server_default=func.now()),
    Column("rung_at", time_type),  # when a message was last sent for it
    Column("no_room_until", time_type),  # a daemon had no room for it: the leader sends no message before
    Column("lease_owner", Text),
    Column("lease_until", time_type),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),  # failed ones since the last success
    Column("failing_since", time_type),
    Column("last_error", Text),
    Column("error_code", Text),
    Column("read", BigInteger, nullable=False, server_default="0"),  # entries of this epoch: the sum of the next four
    Column("written", BigInteger, nullable=False, server_default="0"),
    Column("unchanged", BigInteger, nullable=False, server_default="0"),
    Column("quarantined", BigInteger, nullable=False, server_default="0"),
    Column("filtered", BigInteger, nullable=False, server_default="0"),
    Column("is_rebuilding", Boolean, nullable=False, server_default=text("false")),  # until what is surplus is gone
    Column("written_at", time_type),  # when its cursor last moved
    PrimaryKeyConstraint("destination_id", "integrated_account_id"),
    known_statuses(CursorStatus, "destination_cursor_status"),
    CheckConstraint('"read" = written + unchanged + quarantined + filtered', name="destination_cursor_books"),
    Index("destination_cursor_by_account", "integrated_account_id"),
    Index("destination_cursor_due", "destination_id", "due_at"),
    Index("destination_cursor_no_room", "no_room_until", postgresql_where=text("no_room_until is not null")),
    Index(
        "destination_cursor_failing", "error_code", "destination_id", postgresql_where=text("error_code is not null")
    ),
    Index("destination_cursor_leased", "destination_id", postgresql_where=text("lease_until is not null")),
    postgresql_with={"fillfactor": "70"},
)

# How a destination stood when the leader last looked at all its cursors: what metrics show.
destination_state = Table(
    "destination_state",
    metadata,
    Column("destination_id", uuid_type, ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("failing", Integer, nullable=False),  # accounts
    Column("failing_since", time_type),  # the first of them
    Column("lag_records", BigInteger, nullable=False),
    Column("oldest_at", time_type),  # since when the oldest entry waits; null: none does
)

# What became of the entries of a run that waits for its destinations, at each: counted as a cursor passes them.
run_destination = Table(
    "run_destination",
    metadata,
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("destination_id", uuid_type, ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("through", BigInteger, nullable=False),  # the last of them that was counted
    Column("written", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("filtered", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "destination_id"),
    Index("run_destination_by_destination", "destination_id"),
)

# Records that are left out: the newest sequence of each key.
destination_quarantine = Table(
    "destination_quarantine",
    metadata,
    Column("destination_id", uuid_type, ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("resource", Text, nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("refused_epoch", Integer),  # of one that the target can not hold: the cursor's epoch when it was tried
    PrimaryKeyConstraint("destination_id", "integrated_account_id", "resource", "remote_id"),
    Index(
        "destination_quarantine_refused",
        *("destination_id", "integrated_account_id", "sequence"),
        postgresql_where=text("refused_epoch is not null"),
    ),
)
