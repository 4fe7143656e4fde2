"""A status is one of those that are known; rows that were there before are checked once this is committed."""

from alembic import op

from app.store.migrations.locking import lock_tables

revision = "0021"
down_revision = "0020"

_ACCOUNT = ("active", "needs_reauth", "inactive")
_STATUSES = {
    "sync_job_run": ("created", "running", "rate_limited", "completed", "failed", "stopped"),
    "unit": ("blocked", "idle", "ready", "leased", "done", "failed", "cancelled"),
    "run_resource": ("waiting", "running", "completed", "failed", "stopped"),
    "delivery": ("pending", "delivered", "dead_lettered", "cancelled", "split", "quarantined"),
    "daemon": ("starting", "active", "stopping", "stopped"),
    "integrated_account": _ACCOUNT,
    "deleted_account": _ACCOUNT,
}


def upgrade() -> None:
    lock_tables(*_STATUSES)
    # Not valid: to check the rows under this lock would keep all writers waiting (app/store/db/migrate.py does it).
    for table, statuses in _STATUSES.items():
        known = ", ".join(f"'{status}'" for status in statuses)
        op.execute(f"alter table {table} add constraint {table}_status check (status in ({known})) not valid")


def downgrade() -> None:
    lock_tables(*_STATUSES)
    for table in _STATUSES:
        op.drop_constraint(f"{table}_status", table)
