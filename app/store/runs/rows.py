"""Rows of runs and their errors, read as the objects that they stand for."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Text, bindparam, literal_column, select, text

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs import books
from app.engine.runs.books import Counters, ListFacts
from app.engine.status import ErrorHandling, RunStatus
from app.store import tables
from app.store.db.autocommit import Autocommit
from app.store.db.database import Row
from app.store.runs.mutexes import waiting_on

SELECT_RUN = select(
    tables.sync_job_run, literal_column(f"cast({waiting_on('sync_job_run')} as text)", Text).label("waiting_on")
)
"""A run's row, and which run it waits for."""

_ONE = SELECT_RUN.where(tables.sync_job_run.c.id == bindparam("id"))

# Resources of runs that an earlier version made have no bound of their own.
_STATS = text(
    "select r.run_id, r.name, r.method, r.status, r.persist, r.started_at, r.finished_at, r.expected, r.warnings, "
    + "coalesce(r.previous_run_date, run.previous_run_date) as previous_run_date, "
    + ", ".join(f"r.{name}" for name in tables.COUNTERS)
    + " from run_resource r join sync_job_run run on run.id = r.run_id"
    + " where r.run_id = any(:run_ids) order by r.run_id, r.position"
)


def stats_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, JsonObject]:
    """Derive resource_stats of several runs at once: ``{run: {resource: {method: {...}}}}``."""
    return _stats(connection.execute(_STATS, {"run_ids": list(run_ids)}).mappings())


def read_run(singles: Autocommit, run_id: str, *, with_stats: bool) -> SyncJobRun | None:
    """Read a run of any environment; without stats it costs one question, and its ``resource_stats`` are empty."""
    row = singles.one(_ONE, {"id": run_id})
    if row is None:
        return None
    stats = _stats(singles.all(_STATS, {"run_ids": [run_id]})) if with_stats else {}
    return run_of(row, stats.get(run_id, {}))


def _stats(rows: Iterable[Row]) -> dict[str, JsonObject]:
    stats: dict[str, JsonObject] = {}
    for row in rows:
        shown = books.show_stats(
            Counters(**{name: row[name] for name in tables.COUNTERS}),
            status=row["status"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            lists=ListFacts(
                expected=row["expected"], warnings=row["warnings"], previous_run_date=row["previous_run_date"]
            ),
        )
        stats.setdefault(str(row["run_id"]), {}).setdefault(row["name"], {})[row["method"]] = shown
    return stats


def find_run(connection: Connection, run_id: str) -> SyncJobRun | None:
    """Read a run of any environment with its stats, as the caller's transaction sees it."""
    row = connection.execute(_ONE, {"id": run_id}).mappings().one_or_none()
    return run_of(row, stats_of(connection, [run_id]).get(run_id, {})) if row else None


def run_of(row: Row, stats: JsonObject) -> SyncJobRun:
    """Read a run's row, as ``SELECT_RUN`` gives it."""
    return SyncJobRun(
        id=str(row["id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        sync_job_id=str(row["sync_job_id"]),
        integrated_account_id=str(row["integrated_account_id"]),
        status=RunStatus(row["status"]),
        args=row["args"],
        resources=row["resources"],
        sync_job=row["sync_job"],
        daemon_id=row["daemon_id"],
        daemon_group_key=row["daemon_group_key"],
        webhook_id=str(row["webhook_id"]) if row["webhook_id"] else None,
        error_handling=ErrorHandling(row["error_handling"]),
        ignore_previous_run=row["ignore_previous_run"],
        version=row["version"],
        previous_run_date=row["previous_run_date"],
        upper_bound=row["upper_bound"],
        overlap_seconds=row["overlap_seconds"],
        resource_stats=stats,
        error=row["error"],
        mutex_key=row["mutex_key"],
        force=row["force"],
        state_key=row["state_key"],
        events_to_send=row["events_to_send"],
        changes_only=row["changes_only"],
        waiting_on=row["waiting_on"],
        resumes=row["resumes"],
        completed_at=row["completed_at"],
        retry_after=row["retry_after"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def error_of(row: Row) -> RunError:
    """Read an error's row."""
    return RunError(
        id=str(row["id"]),
        sync_job_run_id=str(row["run_id"]),
        resource=row["resource"],
        method=row["method"],
        code=row["code"],
        message=row["message"],
        details=row["details"],
        created_at=row["created_at"],
    )
