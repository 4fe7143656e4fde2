"""The deliveries of webhooks in Postgres, as their owner sees them: listed, shown, sent again."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select, text

from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery
from app.engine.runs.work import WakeUp
from app.engine.status import DeliveryStatus, UnitStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.audit_notes import note_of_delivery
from app.store.db.database import Row, driver_cursor, reading
from app.store.db.owned_rows import build_object
from app.store.deliveries.deliveries import counters_of_end
from app.store.tables.statuses import origins
from app.store.units import checkpoint

_TABLE = tables.delivery
LISTED = tuple(column for column in _TABLE.c if column.name != "body")
"""What a delivery is listed by: its body may be large."""

_COUNTED = (DeliveryStatus.DELIVERED, DeliveryStatus.DEAD_LETTERED, DeliveryStatus.QUARANTINED)

# A unit at work comes to the event by itself; one that sleeps, or that is idle, has to be dispatched.
_WAKE_UNIT = text(f"""
    update unit
       set status = case when status = '{UnitStatus.LEASED}' then status else '{UnitStatus.READY}' end,
           wake_at = null, rung_at = now(),
           attempts = case when status = '{UnitStatus.LEASED}' then attempts else 0 end, updated_at = now()
     where run_id = :run_id and kind = 'delivery'
""")

_UNIT = text("""
    select unit.id, unit.run_id, r.queue from unit join sync_job_run r on r.id = unit.run_id
     where unit.run_id = :run_id and unit.kind = 'delivery'
""")

_RUN = text("select run_id from delivery where id = :id and webhook_id = :webhook_id")

# What was split continues as its parts.
_LOCK = text(f"""
    select status, resource_id, records from delivery
     where id = :id and octet_length(body) > 0 and status <> '{DeliveryStatus.SPLIT}' for update
""")

# It is tried for as long as a new one.
_REOPEN = text(f"""
    update delivery set status = '{DeliveryStatus.PENDING}', attempts = 0, delivered_at = null, created_at = now(),
    wake_at = null,
           lease_expires_at = null
     where id = :id and status in {origins(DeliveryStatus.PENDING)}
""")

# What is under way is not sent a second time beside that.
_HURRY: Final = f"""
    update delivery set wake_at = null
     where {{which}} and run_id is null and status = '{DeliveryStatus.PENDING}'
           and (lease_expires_at is null or lease_expires_at <= now())
"""
_HURRY_ONE = text(_HURRY.format(which="id = :id"))
_HURRY_ALL = text(_HURRY.format(which="webhook_id = :webhook_id"))

_WAKE_ALL = text(f"""
    update unit set wake_at = null, rung_at = now(), updated_at = now()
      from sync_job_run r
     where r.id = unit.run_id and unit.kind = 'delivery' and unit.status = '{UnitStatus.READY}'
           and unit.run_id in (select run_id from delivery where webhook_id = :webhook_id
           and status = '{DeliveryStatus.PENDING}')
 returning unit.id, unit.run_id, r.queue
""")


@retry_conflicts
class WebhookDeliveryStore:
    """The deliveries of all webhooks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, webhook_id: str, filters: ListFilters) -> Page[Delivery]:
        """Read a page of a webhook's deliveries, without their bodies."""
        statement = select(*LISTED).where(_TABLE.c.webhook_id == webhook_id)
        statement = paging.narrow(statement, _TABLE, filters)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection,
                statement,
                _TABLE,
                delivery_of,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
            )

    def get(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Read one delivery with its body."""
        body = func.convert_from(_TABLE.c.body, "UTF8").label("body")
        statement = select(*LISTED, body).where(_TABLE.c.webhook_id == webhook_id, _TABLE.c.id == delivery_id)
        with reading(self._engine) as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return delivery_of(row, row["body"]) if row else None

    def retry(self, webhook_id: str, delivery_id: str) -> Sequence[WakeUp] | None:
        """Make a delivery pending and due; list the unit to wake, if it is a run's.

        None when it has no body left, or was split. What the run's books have counted of it, they count anew at its
        next end.
        """
        with self._engine.begin() as connection:
            run_id = connection.execute(_RUN, {"id": delivery_id, "webhook_id": webhook_id}).scalar_one()
            # In the order of all locks: the unit, the delivery, its resource.
            connection.execute(_WAKE_UNIT, {"run_id": run_id})
            row = connection.execute(_LOCK, {"id": delivery_id}).mappings().one_or_none()
            if row is None:
                return None
            connection.execute(_HURRY_ONE, {"id": delivery_id})
            connection.execute(_REOPEN, {"id": delivery_id})
            _uncount(connection, row)
            note_of_delivery(connection, webhook_id, delivery_id, "retried")
            return [_dispatch(unit) for unit in connection.execute(_UNIT, {"run_id": run_id})]

    def wake_all(self, webhook_id: str) -> Sequence[WakeUp]:
        """Make due at once whatever waits for a webhook; list the units to wake."""
        with self._engine.begin() as connection:
            connection.execute(_HURRY_ALL, {"webhook_id": webhook_id})
            return [_dispatch(unit) for unit in connection.execute(_WAKE_ALL, {"webhook_id": webhook_id})]


def _uncount(connection: Connection, row: Row) -> None:
    if row["status"] in _COUNTED and row["resource_id"] and row["records"]:
        with driver_cursor(connection) as cursor:
            checkpoint.count(
                cursor, str(row["resource_id"]), counters_of_end(DeliveryStatus(row["status"]), -row["records"])
            )


def _dispatch(unit: Any) -> WakeUp:
    return WakeUp(run_id=str(unit.run_id), unit_id=str(unit.id), queue=unit.queue)


def delivery_of(row: Row, body: str | None = None) -> Delivery:
    """Read a delivery's row."""
    run_id = str(row["run_id"]) if row["run_id"] else None
    return build_object(Delivery, row, sync_job_run_id=run_id, sequence=row["log_sequence"], body=body or None)
