"""Who changed what: written by triggers in the transaction of each change (migration 0031), and who started which run.

Runs are started far more often than anything is changed: such an entry is a short row beside its run, with what the run
does not have itself (decision 0031).
"""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from app.store.tables.base import environment_column, id_column, metadata, time_type, uuid_type

audit_entry = Table(
    "audit_entry",
    metadata,
    id_column(),
    environment_column(),
    Column("integrated_account_id", uuid_type),  # whose personal data the entry may hold; null: nobody's
    Column("action", Text, nullable=False),  # such as webhook.updated
    Column("object_type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", uuid_type),  # the API token or the account
    Column("actor_name", Text),
    Column("operation", Text),  # the route or the command
    Column("request_id", uuid_type),
    Column("remote_address", Text),
    Column("before", JSONB(none_as_null=True)),  # what was there of what has changed; secrets are masked
    Column("after", JSONB(none_as_null=True)),  # what is there instead
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("audit_entry_page", "environment_id", "created_at", "id"),
    Index("audit_entry_by_object", "environment_id", "object_id", "created_at", "id"),
    Index("audit_entry_by_type", "environment_id", "object_type", "created_at", "id"),
    Index("audit_entry_by_action", "environment_id", "action", "created_at", "id"),
    # Nearly all changes are by tokens: a list of theirs is the whole one.
    Index(
        "audit_entry_by_others",
        "environment_id",
        "actor_kind",
        "created_at",
        "id",
        postgresql_where=text("actor_kind <> 'token'"),
    ),
    Index("audit_entry_by_actor", "environment_id", "actor_id", "created_at", "id"),
    Index(
        "audit_entry_by_account",
        "integrated_account_id",
        "created_at",
        "id",
        postgresql_where=text("integrated_account_id is not null"),
    ),
)

run_start = Table(
    "run_start",
    metadata,
    Column("id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), primary_key=True),
    environment_column(),
    # As of an entry.
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", uuid_type),
    Column("actor_name", Text),
    Column("operation", Text),
    Column("request_id", uuid_type),
    Column("remote_address", Text),
    Column("created_at", time_type, nullable=False),  # the run's own
    Index("run_start_page", "environment_id", "created_at", "id"),
    Index("run_start_by_actor", "actor_id", "created_at", "id"),
    Index(
        "run_start_by_others",
        "environment_id",
        "actor_kind",
        "created_at",
        "id",
        postgresql_where=text("actor_kind <> 'token'"),
    ),
)
