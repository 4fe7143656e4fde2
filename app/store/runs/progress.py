"""How far a run is, read as of one moment."""

from sqlalchemy import Connection, text

from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges, Progress, ResourceState
from app.engine.status import OPEN_UNIT_STATUSES, DeliveryStatus, ResourceStatus, UnitStatus
from app.store import tables
from app.store.tables.statuses import any_of

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
