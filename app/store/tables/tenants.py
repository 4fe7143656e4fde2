"""Whose accounts there are."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.store.tables.base import metadata, times, uuid_type

tenant = Table(
    "tenant",
    metadata,
    Column("environment_id", uuid_type, ForeignKey("environment.id"), primary_key=True),
    Column("id", Text, primary_key=True),  # the caller's own
    Column("name", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    *times(),
    Index("tenant_page", "environment_id", "created_at", "id"),
)
