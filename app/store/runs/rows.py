"""Runs and their errors as rows, read as the objects that they stand for, and how far a run is."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Text, bindparam, literal_column, select, text

from app.engine.json_types import JsonObject
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs import books
from app.engine.runs.books import Counters, ListFacts
from app.engine.runs.settling import Exchanges, Progress, ResourceState
from app.engine.status import OPEN_UNIT_STATUSES, DeliveryStatus, ErrorHandling, ResourceStatus, RunStatus, UnitStatus
from app.store import tables
from app.store.db.autocommit import Autocommit
from app.store.db.database import Row
from app.store.db.owned_rows import build_object
from app.store.runs.mutexes import waiting_on
from app.store.tables.statuses import any_of

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


def read_run(autocommit: Autocommit, run_id: str, *, with_stats: bool) -> SyncJobRun | None:
    """Read a run of any environment; without stats it costs one question, and its ``resource_stats`` are empty."""
    row = autocommit.one(_ONE, {"id": run_id})
    if row is None:
        return None
    stats = _stats(autocommit.all(_STATS, {"run_ids": [run_id]})) if with_stats else {}
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
    """Read a run's row, as ``SELECT_RUN`` returns it."""
    return build_object(
        SyncJobRun,
        row,
        status=RunStatus(row["status"]),
        error_handling=ErrorHandling(row["error_handling"]),
        resource_stats=stats,
    )


def error_of(row: Row) -> RunError:
    """Read an error's row."""
    return build_object(RunError, row, sync_job_run_id=str(row["run_id"]))


# One statement, so one snapshot: pages and deliveries are written meanwhile, and each moves several of these.
_PROGRESS = text(
    "select r.id, r.name, r.resource, r.method, r.parent_name, r.persist, r.status, r.started_at, r.rekeying, "
    + "r.requests, r.answered, r.answer_ms, "
    + "coalesce(r.previous_run_date, run.previous_run_date) as previous_run_date, "
    + ", ".join(f"r.{name}" for name in tables.COUNTERS)
    + f""",
           count(u.id) filter (where u.status in {any_of(OPEN_UNIT_STATUSES)}) as live_units,
           count(u.id) filter (where u.status = '{UnitStatus.CANCELLED}') as left_out,
           count(u.id) filter (where u.status = '{UnitStatus.READY}' and u.wake_at > now()
           and u.attempts = 0) as parked_units,
           min(u.wake_at) filter (where u.status = '{UnitStatus.READY}' and u.wake_at > now()
           and u.attempts = 0) as wakes_at,
           (select count(*) from delivery d
             where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}'
                   and d.webhook_id = run.webhook_id) as pending
      from run_resource r join sync_job_run run on run.id = r.run_id left join unit u on u.resource_id = r.id
     where r.run_id = :run_id group by r.id, run.id order by r.position
    """
)


def read_progress(connection: Connection, run_id: str) -> Progress:
    """Read the run's resources with their counters and units that are left, and what waits for the webhook."""
    rows = connection.execute(_PROGRESS, {"run_id": run_id}).mappings().all()
    resources = [
        ResourceState(
            id=str(row["id"]),
            name=row["name"],
            resource=row["resource"],
            method=row["method"],
            parent_name=row["parent_name"],
            persist=row["persist"],
            status=ResourceStatus(row["status"]),
            started_at=row["started_at"],
            counters=Counters(**{name: row[name] for name in tables.COUNTERS}),
            live_units=row["live_units"],
            parked_units=row["parked_units"],
            wakes_at=row["wakes_at"],
            previous_run_date=row["previous_run_date"],
            left_out=row["left_out"],
            rekeying=row["rekeying"],
            exchanges=Exchanges(requests=row["requests"], answered=row["answered"], answer_ms=row["answer_ms"]),
        )
        for row in rows
    ]
    return Progress(resources, rows[0]["pending"] if rows else 0)
