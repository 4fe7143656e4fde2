"""Actions on all runs that a search found, and what became of each."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.objects.bulk_actions import BulkOutcome, BulkStatus
from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type
from app.store.tables.statuses import known_statuses

bulk_action = Table(
    "bulk_action",
    metadata,
    id_column(),
    environment_column(),
    Column("kind", Text, nullable=False),  # a BulkKind
    Column("filters", JSONB, nullable=False),  # app/services/dashboard/run_filters.py
    Column("status", Text, nullable=False, server_default=BulkStatus.COUNTING.value),
    # The last run that was written down, while it is counted.
    Column("place_at", time_type),
    Column("place_id", uuid_type),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("counted", "done", "skipped", "failed")
    ),
    *times(),
    Column("confirmed_at", time_type),
    Column("finished_at", time_type),
    Column("last_error", Text),  # why it does not go on
    known_statuses(BulkStatus, "bulk_action_status"),
    Index("bulk_action_page", "environment_id", "created_at", "id"),
    Index("bulk_action_open", "status", "updated_at", postgresql_where=text("finished_at is null")),
)

bulk_action_run = Table(
    "bulk_action_run",
    metadata,
    Column("bulk_action_id", uuid_type, ForeignKey("bulk_action.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("resumes", Integer, nullable=False),  # how often the run had been resumed when it was counted
    Column("outcome", Text, nullable=False, server_default=BulkOutcome.PENDING.value),
    Column("reason", Text),
    PrimaryKeyConstraint("bulk_action_id", "run_id"),
    Index("bulk_action_run_of_run", "run_id"),
    Index("bulk_action_run_by_outcome", "bulk_action_id", "outcome", "run_id"),
)
