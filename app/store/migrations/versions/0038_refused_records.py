"""Records that a target can not hold are quarantined; how destinations stand is kept, and no more counted each time."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.locking import lock_tables

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    _quarantine_refused()
    _keep_states()
    _count_of_runs()


def _quarantine_refused() -> None:
    # No row has one yet: the index is built of nothing, by one look at the table.
    op.add_column("destination_quarantine", sa.Column("refused_epoch", sa.Integer()))
    op.create_index(
        "destination_quarantine_refused",
        "destination_quarantine",
        ["destination_id", "integrated_account_id", "sequence"],
        postgresql_where=sa.text("refused_epoch is not null"),
    )


def _keep_states() -> None:
    op.create_table(
        "destination_state",
        sa.Column(
            "destination_id",
            sa.UUID(as_uuid=False),
            sa.ForeignKey("destination.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("failing", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("lag_records", sa.BigInteger(), nullable=False),
        sa.Column("oldest_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "destination_cursor_failing",
        "destination_cursor",
        ["error_code", "destination_id"],
        postgresql_where=sa.text("error_code is not null"),
    )


def _count_of_runs() -> None:
    lock_tables("sync_job_run")
    op.create_index(
        "sync_job_run_awaiting",
        "sync_job_run",
        ["integrated_account_id"],
        postgresql_where=sa.text("wait_for_destinations and status <> 'completed'"),
    )
    # What had landed was written, or there already: nobody knows any more which.
    op.execute("""
        update sync_job_run set destinations = (
               select jsonb_agg((one - 'landed') || jsonb_build_object('written', one -> 'landed', 'unchanged', 0))
                 from jsonb_array_elements(destinations) one)
         where jsonb_typeof(destinations) = 'array' and destinations @> '[{}]'
    """)
    op.create_table(
        "run_destination",
        sa.Column(
            "run_id", sa.UUID(as_uuid=False), sa.ForeignKey("sync_job_run.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column(
            "destination_id",
            sa.UUID(as_uuid=False),
            sa.ForeignKey("destination.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("through", "written", "unchanged", "quarantined", "filtered")
        ),
    )
    op.create_index("run_destination_by_destination", "run_destination", ["destination_id"])


def downgrade() -> None:
    op.execute("""
        update sync_job_run set destinations = (
               select jsonb_agg((one - 'written' - 'unchanged') || jsonb_build_object(
                          'landed', (one ->> 'written')::bigint + (one ->> 'unchanged')::bigint))
                 from jsonb_array_elements(destinations) one)
         where jsonb_typeof(destinations) = 'array' and destinations @> '[{}]'
    """)
    op.drop_index("destination_cursor_failing", "destination_cursor")
    op.drop_table("destination_state")
    op.drop_table("run_destination")
    op.drop_index("sync_job_run_awaiting", "sync_job_run")
    op.drop_index("destination_quarantine_refused", "destination_quarantine")
    op.drop_column("destination_quarantine", "refused_epoch")
