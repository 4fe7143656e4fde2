"""Count a run anew from units, errors, events and records: everything by one snapshot."""

from sqlalchemy import Connection, Engine, RowMapping, text

from app.engine.objects.runs import SyncJobRun
from app.engine.runs.audit import EventCount, Recount, RunRecount
from app.engine.runs.books import Counters
from app.engine.status import DeliveryStatus, RunStatus, UnitStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.tables.statuses import any_of

_STATUS = text("select status from sync_job_run where id = :run_id")

_ENDED = any_of((UnitStatus.DONE, UnitStatus.FAILED))
_RESOURCES = text(
    "select r.name, r.resource, r.parent_name, r.persist, "
    + ", ".join(f"r.{name}" for name in tables.COUNTERS)
    + f"""
         , coalesce(u.unfinished, 0) as unfinished_units,
           coalesce(u.pages, 0) as unit_pages, coalesce(u.elements, 0) as elements,
           coalesce(u.failed, 0) as failed_elements,
           coalesce(e.listed, 0) as listed_errors, coalesce(e.loops, 0) as loop_errors,
           coalesce(d.pending, 0) as event_pending, coalesce(d.delivered, 0) as event_delivered,
           coalesce(d.dead_lettered, 0) as event_dead_lettered, coalesce(d.cancelled, 0) as event_cancelled,
           coalesce(d.quarantined, 0) as event_quarantined
      from run_resource r
      left join (
           select resource_id, count(*) filter (where status not in {_ENDED}) as unfinished,
                  sum(pages) as pages,
                  -- A part of a list is no request more.
                  sum((select count(*) from jsonb_array_elements(elements) one where not one ? 'part')) as elements,
                  sum((select count(*) from jsonb_object_keys(frontier -> 'failed'))) as failed
             from unit where run_id = :run_id and resource_id is not null group by resource_id) u
        on u.resource_id = r.id
      left join (
           select resource, count(*) as listed, count(*) filter (where code = 'loop_on') as loops
             from run_error where run_id = :run_id group by resource) e on e.resource = r.name
      left join (
           select resource_id, sum(records) filter (where status = '{DeliveryStatus.PENDING}') as pending,
                  sum(records) filter (where status = '{DeliveryStatus.DELIVERED}') as delivered,
                  sum(records) filter (where status = '{DeliveryStatus.DEAD_LETTERED}') as dead_lettered,
                  sum(records) filter (where status = '{DeliveryStatus.CANCELLED}') as cancelled,
                  sum(records) filter (where status = '{DeliveryStatus.QUARANTINED}') as quarantined
             from delivery where run_id = :run_id group by resource_id) d on d.resource_id = r.id
     where r.run_id = :run_id order by r.position
    """
)

# By the part of the account's log that the run has written, which is indexed; its rows may be anybody's by now.
_KEPT = text("""
    select r.resource, (
           select count(*) from record
            where record.integrated_account_id = :account_id and record.resource = r.resource
                  and record.sequence between min(r.first_sequence) and max(r.last_sequence)
                  and record.sync_job_run_id = :run_id) as kept
      from run_resource r where r.run_id = :run_id and r.first_sequence is not null group by r.resource
""")


@retry_conflicts
class RecountStore:
    """Counts runs anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def recount(self, run: SyncJobRun) -> RunRecount:
        """Count all of a run as of one moment."""
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            return _recount(connection, run)


def _recount(connection: Connection, run: SyncJobRun) -> RunRecount:
    parameters = {"run_id": run.id}
    status = connection.execute(_STATUS, parameters).scalar_one_or_none()
    resources = [_resource(row) for row in connection.execute(_RESOURCES, parameters).mappings()]
    kept = connection.execute(_KEPT, {**parameters, "account_id": run.integrated_account_id})
    return RunRecount(
        status=RunStatus(status) if status else run.status,
        to_webhook=run.webhook_id is not None,
        resources=resources,
        kept={row.resource: row.kept for row in kept},
    )


def _resource(row: RowMapping) -> Recount:
    return Recount(
        name=row["name"],
        resource=row["resource"],
        parent_name=row["parent_name"],
        persist=row["persist"],
        counters=Counters(**{name: row[name] for name in tables.COUNTERS}),
        unfinished_units=row["unfinished_units"],
        unit_pages=int(row["unit_pages"]),
        elements=int(row["elements"]),
        failed_elements=int(row["failed_elements"]),
        errors=row["listed_errors"],
        loop_errors=row["loop_errors"],
        events=EventCount(
            pending=row["event_pending"],
            delivered=row["event_delivered"],
            dead_lettered=row["event_dead_lettered"],
            cancelled=row["event_cancelled"],
            quarantined=row["event_quarantined"],
        ),
    )
