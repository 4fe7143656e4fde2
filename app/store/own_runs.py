"""The runs that a process carries out by itself."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from app.engine.status import RunStatus
from app.store.database import reading

_STATUS = text("select status from sync_job_run where id = :run_id")

_DUE = text("""
    select id from unit
     where run_id = :run_id
           and (status = 'ready' and (wake_at is null or wake_at <= now())
                or status = 'leased' and lease_expires_at < now())
     order by created_at, id limit 100
""")

_SET_BACK = text("""
    update sync_job_run set previous_run_date = :previous_run_date, started_at = :started_at
     where id = :run_id and status = 'created'
""")


class OwnRunStore:
    """What is left of runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def status(self, run_id: str) -> RunStatus | None:
        """Tell where a run stands; None when it is gone."""
        with reading(self._engine) as connection:
            status = connection.execute(_STATUS, {"run_id": run_id}).scalar_one_or_none()
        return RunStatus(status) if status else None

    def due_units(self, run_id: str) -> Sequence[str]:
        """List units that can be worked on now."""
        with reading(self._engine) as connection:
            return [str(id) for id in connection.execute(_DUE, {"run_id": run_id}).scalars()]

    def set_back(self, run_id: str, *, previous_run_date: datetime | None, started_at: datetime | None) -> None:
        """Have a created run ask as one did that was carried out before."""
        times = {"previous_run_date": previous_run_date, "started_at": started_at}
        with self._engine.begin() as connection:
            connection.execute(_SET_BACK, {"run_id": run_id, **times})
