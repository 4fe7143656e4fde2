"""What the log needs: the environment of errors, ends of runs by environment, direct calls; who names its events."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.irreversible import restore_a_backup

revision = "0005"
down_revision = "0004"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _errors()
    _ends_of_runs()
    _direct_calls()
    _choosy_webhooks()


def downgrade() -> None:
    restore_a_backup(revision)


def _errors() -> None:
    op.add_column("run_error", sa.Column("environment_id", _UUID))
    op.execute(
        "update run_error set environment_id = r.environment_id from sync_job_run r where r.id = run_error.run_id"
    )
    op.create_index("run_error_log", "run_error", ["environment_id", "created_at", "id"])


def _ends_of_runs() -> None:
    ended = sa.text("finished_at is not null")
    op.create_index(
        "sync_job_run_ended", "sync_job_run", ["environment_id", "finished_at", "id"], postgresql_where=ended
    )
    op.drop_index("sync_job_run_finished", "sync_job_run")


def _direct_calls() -> None:
    op.create_table(
        "direct_call",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("integrated_account_id", _UUID),
        sa.Column("api", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text()),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("request_id", _UUID, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
    )
    op.create_index("direct_call_page", "direct_call", ["environment_id", "created_at", "id"])
    op.create_index("direct_call_age", "direct_call", ["created_at"])


def _choosy_webhooks() -> None:
    is_choosy = sa.text("event_types is not null")
    op.create_index("webhook_choosy", "webhook", ["environment_id"], postgresql_where=is_choosy)
