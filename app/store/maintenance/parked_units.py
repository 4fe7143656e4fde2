"""The units that sleep until their account takes requests again."""

from collections.abc import Sequence

from sqlalchemy import Engine, text

from app.engine.runs.work import WakeUp
from app.engine.status import BEGUN_RUN_STATUSES, UnitStatus
from app.services.accounts.ports import ParkedRun
from app.services.runs.conflicts import retry_conflicts
from app.store.db.audit_notes import note_of_account
from app.store.db.database import reading
from app.store.tables.statuses import any_of

_IS_PARKED = f"""
    r.integrated_account_id = :account_id and r.status in {any_of(BEGUN_RUN_STATUSES)} and u.kind = 'fetch'
    and u.status = '{UnitStatus.READY}' and u.wake_at > now()
"""

_OF_ACCOUNT = text(f"""
    select cast(r.id as text) as run_id, count(*) as units, min(u.wake_at) as wakes_at
      from sync_job_run r join unit u on u.run_id = r.id
     where {_IS_PARKED} group by r.id order by min(u.wake_at), r.id limit 1000
""")

# A wake-up that is lost is sent again by the sweeper, as any other.
_WAKE = text(f"""
    with parked as (
        select u.id, r.queue from sync_job_run r join unit u on u.run_id = r.id
         where {_IS_PARKED} and (cast(:run_id as uuid) is null or r.id = cast(:run_id as uuid))
         for update of u skip locked)
    update unit set wake_at = null, rung_at = now(), updated_at = now() from parked where unit.id = parked.id
 returning cast(unit.run_id as text) as run_id, cast(unit.id as text) as unit_id, parked.queue
""")


@retry_conflicts
class ParkedUnitStore:
    """The parked units of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_account(self, account_id: str) -> Sequence[ParkedRun]:
        """List the runs that have some, the first to continue first."""
        with reading(self._engine) as connection:
            rows = connection.execute(_OF_ACCOUNT, {"account_id": account_id}).all()
        return [ParkedRun(run_id=row.run_id, units=row.units, wakes_at=row.wakes_at) for row in rows]

    def wake(self, *, account_id: str, run_id: str | None = None) -> Sequence[WakeUp]:
        """Make them due now; list the wake-ups to send."""
        with self._engine.begin() as connection:
            rows = connection.execute(_WAKE, {"account_id": account_id, "run_id": run_id}).all()
            if run_id is None:
                note_of_account(connection, account_id, "budget_reset", {})
        return [WakeUp(run_id=row.run_id, unit_id=row.unit_id, queue=row.queue) for row in rows]
