"""Accounts that were deleted and wait to be erased, and what was erased."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.engine.errors import IrreversibleMigrationError

revision = "0015"
down_revision = "0011"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_WAITING = "select count(*) from deleted_account"

# Accounts that were deleted before, whose records no route reached: told by a run of theirs, of what environment.
_LEFT_BEHIND = """
    with recursive holder as (
        (select integrated_account_id as id from record order by integrated_account_id limit 1)
        union all
        select (select integrated_account_id from record where integrated_account_id > holder.id
                 order by integrated_account_id limit 1)
          from holder where holder.id is not null)
    insert into erasure (id, environment_id, integrated_account_id, due_at)
    select gen_random_uuid(), run.environment_id, holder.id, now() + interval '30 days'
      from holder cross join lateral (
           select environment_id from sync_job_run where integrated_account_id = holder.id limit 1) run
     where not exists (select from integrated_account account where account.id = holder.id)
"""


def upgrade() -> None:
    op.create_table(
        "deleted_account",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, nullable=False),
        sa.Column("integration_id", _UUID, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("authentication_method", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_forbidden_error", JSONB()),
        sa.Column("context_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("origins", ARRAY(sa.Text())),
        sa.Column("plain_paths", JSONB()),
        sa.Column("unified_model_override", JSONB(), nullable=False),
        sa.Column("integration_override", JSONB(), nullable=False),
        sa.Column("override_origins", ARRAY(sa.Text())),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_table(
        "erasure",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("integrated_account_id", _UUID, nullable=False),
        sa.Column("resource", sa.Text()),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("erased", JSONB(), server_default="{}", nullable=False),
        sa.Column("last_error", sa.Text()),
    )
    op.create_index("erasure_page", "erasure", ["environment_id", "created_at", "id"])
    op.create_index("erasure_by_account", "erasure", ["integrated_account_id"])
    op.create_index("erasure_due", "erasure", ["due_at"], postgresql_where=sa.text("finished_at is null"))
    op.execute(_LEFT_BEHIND)


def downgrade() -> None:
    if waiting := op.get_bind().execute(sa.text(_WAITING)).scalar_one():
        raise IrreversibleMigrationError(
            f"{waiting} deleted accounts wait to be erased, which the version before does not do: "
            "restore them or have them erased first"
        )
    op.drop_table("erasure")
    op.drop_table("deleted_account")
