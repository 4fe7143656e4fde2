"""The registry of daemons."""

from sqlalchemy import Column, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.status import DaemonStatus
from app.store.tables.base import metadata, time_type, times, uuid_type
from app.store.tables.statuses import known_statuses

daemon = Table(
    "daemon",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default="{}"),
    *times(),
    Column("last_active_at", time_type),
    Column("lease_owner", uuid_type),  # as whom its process leases units; null before it did
    Column("consumed_at", time_type),  # when it last took a canary message from its queue
    known_statuses(DaemonStatus, "daemon_status"),
    Index("daemon_by_group", "group_key", "status", "last_active_at"),
)
