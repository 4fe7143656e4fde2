"""Who started a run is a short row beside it, no longer an entry with eight indexes; older entries stay as they are."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.locking import lock_tables

revision = "0033"
down_revision = "0032"

_UUID = sa.UUID(as_uuid=False)
_TRIGGER = """
create trigger audit after {events} on sync_job_run for each row
  when (coalesce(current_setting('ferryman.actor', true), '') <> '') execute function audit_change()
"""
_OTHERS = sa.text("actor_kind <> 'token'")


def upgrade() -> None:
    op.create_table(
        "run_start",
        sa.Column("id", _UUID, sa.ForeignKey("sync_job_run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", _UUID),
        sa.Column("actor_name", sa.Text()),
        sa.Column("operation", sa.Text()),
        sa.Column("request_id", _UUID),
        sa.Column("remote_address", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("run_start_page", "run_start", ["environment_id", "created_at", "id"])
    op.create_index("run_start_by_actor", "run_start", ["actor_id", "created_at", "id"])
    _index_others("run_start")
    _index_others("audit_entry")
    op.drop_index("audit_entry_by_actor_kind", "audit_entry")
    op.drop_index("audit_entry_age", "audit_entry")
    _watch("delete or update of status, resumes")


def downgrade() -> None:
    _watch("insert or delete or update of status, resumes")
    op.create_index("audit_entry_age", "audit_entry", ["created_at"])
    op.create_index("audit_entry_by_actor_kind", "audit_entry", ["environment_id", "actor_kind", "created_at", "id"])
    op.drop_index("audit_entry_by_others", "audit_entry")
    op.drop_table("run_start")


def _index_others(table: str) -> None:
    columns = ["environment_id", "actor_kind", "created_at", "id"]
    op.create_index(f"{table}_by_others", table, columns, postgresql_where=_OTHERS)


def _watch(events: str) -> None:
    lock_tables("sync_job_run")
    op.execute("drop trigger audit on sync_job_run")
    op.execute(_TRIGGER.format(events=events))
