"""Direct calls to accounts' APIs, as the log lists them."""

from sqlalchemy import Column, Index, Integer, Table, Text, func

from app.store.tables.base import environment_column, id_column, metadata, time_type, uuid_type

direct_call = Table(
    "direct_call",
    metadata,
    id_column(),
    environment_column(),
    Column("integrated_account_id", uuid_type),  # null when the call named none
    Column("api", Text, nullable=False),  # unified, proxy or custom
    Column("resource", Text),  # "model/resource", or one of the account's own; null where it was called by its path
    Column("method", Text, nullable=False),
    Column("response_status", Integer, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("error", Text),  # the message of the answer, where that is one
    Column("request_id", uuid_type, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("direct_call_page", "environment_id", "created_at", "id"),
    Index("direct_call_age", "created_at"),
)
