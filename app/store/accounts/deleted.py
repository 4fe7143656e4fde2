"""Delete accounts reversibly: the row is moved to a table that nothing reads accounts from, and back."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, text

from app.engine.ids import new_id
from app.engine.runs.spells import SpellEnd
from app.engine.status import BEGUN_RUN_STATUSES, UnitStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.accounts import tenants
from app.store.tables.statuses import any_of
from app.store.units.spells import end_spell

_NAMES: Final = ", ".join(column.name for column in tables.integrated_account.c)

_MOVE_OUT: Final = text(f"""
    with gone as (
        delete from integrated_account where environment_id = :environment_id and id = any(cast(:ids as uuid[]))
     returning {_NAMES})
    insert into deleted_account ({_NAMES}) select {_NAMES} from gone
""")
_ASK: Final = text("""
    insert into erasure (id, environment_id, integrated_account_id, due_at)
    select asked.id, :environment_id, asked.account_id, now() + make_interval(secs => :seconds)
      from unnest(cast(:ids as uuid[]), cast(:account_ids as uuid[])) asked (id, account_id)
""")
# Who works for them knows them as they were: its next page is refused, and who claims the unit next finds no account.
_TAKE_WORK_BACK: Final = text(f"""
    update unit
       set status = '{UnitStatus.READY}', lease_owner = null, lease_expires_at = null, wake_at = now(),
           rung_at = now() - interval '1 hour', updated_at = now(), {end_spell(f"'{SpellEnd.ENDED}'")}
      from sync_job_run r
     where r.id = unit.run_id and r.integrated_account_id = any(cast(:ids as uuid[]))
           and r.status in {any_of(BEGUN_RUN_STATUSES)} and unit.kind = 'fetch' and unit.status = '{UnitStatus.LEASED}'
""")
# An erasure locks the same row first.
_LOCK: Final = text("""
    select e.id, exists (select from integration i where i.id = a.integration_id) as has_integration
      from erasure e join deleted_account a on a.id = e.integrated_account_id
     where e.environment_id = :environment_id and e.integrated_account_id = :id and e.resource is null
           and e.started_at is null
       for update of e
""")
_MOVE_BACK: Final = text(f"""
    with back as (delete from deleted_account where id = :id returning {_NAMES})
    insert into integrated_account ({_NAMES}) select {_NAMES} from back returning tenant_id
""")
_FORGET: Final = text("delete from erasure where id = :id")
_HASTEN: Final = text("""
    update erasure set due_at = least(due_at, now())
     where environment_id = :environment_id and integrated_account_id = :id and resource is null
           and finished_at is null
""")


def move_out(
    connection: Connection, environment_id: str, account_ids: Sequence[str], *, erase_after_seconds: float
) -> None:
    """Delete accounts whose rows the caller has locked, in its transaction, to be erased so much later."""
    ids = list(account_ids)
    connection.execute(_MOVE_OUT, {"environment_id": environment_id, "ids": ids})
    connection.execute(_TAKE_WORK_BACK, {"ids": ids})
    asked = {"ids": [new_id() for _ in ids], "account_ids": ids, "seconds": erase_after_seconds}
    connection.execute(_ASK, {"environment_id": environment_id, **asked})


@retry_conflicts
class DeletedAccounts:
    """The accounts that were deleted and are not erased yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def restore(self, environment_id: str, account_id: str) -> bool | None:
        """Restore an account as it was; None when there is none, False when its integration was deleted."""
        with self._engine.begin() as connection:
            found = connection.execute(_LOCK, {"environment_id": environment_id, "id": account_id}).one_or_none()
            if found is None:
                return None
            if not found.has_integration:
                return False
            tenant_id = connection.execute(_MOVE_BACK, {"id": account_id}).scalar_one()
            tenants.ensure(connection, environment_id, tenant_id)
            connection.execute(_FORGET, {"id": found.id})
        return True

    def make_due(self, environment_id: str, account_id: str) -> bool:
        """Make the erasure of a deleted account due at once; return whether there is one."""
        with self._engine.begin() as connection:
            values = {"environment_id": environment_id, "id": account_id}
            return connection.execute(_HASTEN, values).rowcount > 0
