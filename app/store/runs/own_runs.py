"""The runs that a process runs by itself."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from app.engine.records.rows import encode
from app.engine.runs.increments import LowerBounds
from app.engine.status import RunStatus
from app.engine.times import format_utc_or_none
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.tables.statuses import is_free

_STATUS = text("select status from sync_job_run where id = :run_id")

_DUE = text(f"""
    select id from unit
     where run_id = :run_id
           and {is_free()}
     order by created_at, id limit 100
""")

_SET_BACK = text(f"""
    with run as (
        update sync_job_run set previous_run_date = :previous_run_date, started_at = :started_at
         where id = :run_id and status = '{RunStatus.CREATED}'
     returning id)
    update run_resource
       set previous_run_date =
           coalesce(cast(cast(:own as jsonb) ->> name as timestamptz), cast(:previous_run_date as timestamptz))
      from run where run_id = run.id
""")


@retry_conflicts
class OwnRunStore:
    """What is left of runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def status(self, run_id: str) -> RunStatus | None:
        """Return a run's status; None when it does not exist."""
        with reading(self._engine) as connection:
            status = connection.execute(_STATUS, {"run_id": run_id}).scalar_one_or_none()
        return RunStatus(status) if status else None

    def find_due_units(self, run_id: str) -> Sequence[str]:
        """List units that can be worked on now."""
        with reading(self._engine) as connection:
            return [str(id) for id in connection.execute(_DUE, {"run_id": run_id}).scalars()]

    def set_back(self, run_id: str, bounds: LowerBounds, *, started_at: datetime | None) -> None:
        """Set the lower bounds of a created run to those of an earlier run."""
        own = {name: format_utc_or_none(bound) for name, bound in bounds.own.items()}
        values = {"previous_run_date": bounds.run, "own": encode(own).decode(), "started_at": started_at}
        with self._engine.begin() as connection:
            connection.execute(_SET_BACK, {"run_id": run_id, **values})
