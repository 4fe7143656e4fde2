"""What was deleted and waits to be erased, and what of it was."""

from sqlalchemy import Column, Index, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.status import AccountStatus
from app.store.tables.base import environment_column, id_column, metadata, time_type, uuid_type
from app.store.tables.catalog import integrated_account
from app.store.tables.statuses import known_statuses

# Accounts that were deleted, as they were, for as long as that can be undone. No foreign key to the integration, which
# may be deleted meanwhile.
deleted_account = Table(
    "deleted_account",
    metadata,
    *(
        Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)
        for column in integrated_account.c
    ),
    known_statuses(AccountStatus, "deleted_account_status"),
)

# An account that is to be erased with all that is held of it, or the records of one of an account's resources.
erasure = Table(
    "erasure",
    metadata,
    id_column(),
    environment_column(),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("resource", Text),  # null: the whole account
    Column("created_at", time_type, nullable=False, server_default=func.now()),  # when it was asked for
    Column("due_at", time_type, nullable=False),  # until then the deletion of an account can be undone
    Column("started_at", time_type),
    Column("finished_at", time_type),
    Column("erased", JSONB, nullable=False, server_default="{}"),  # how many rows so far, by their kind
    Column("last_error", Text),  # why it does not go on
    Index("erasure_page", "environment_id", "created_at", "id"),
    Index("erasure_by_account", "integrated_account_id"),
    Index("erasure_due", "due_at", postgresql_where=text("finished_at is null")),
)
