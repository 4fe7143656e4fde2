"""The events of webhook runs in Postgres: next in line, delivered, or given up.

Every write happens under the delivery unit's lease, so one run's events have one sender at a time.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, text

from app.engine.runs.books import Counters
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import Claim, EventDraft, PendingEvent, WakeUp
from app.engine.status import DeliveryStatus, UnitStatus
from app.engine.webhooks.merging import MergeBounds
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import driver_cursor, reading
from app.store.db.owned_rows import build_object
from app.store.records import webhook_records
from app.store.tables.statuses import IS_HELD, origins
from app.store.units import checkpoint
from app.store.units.spells import end_spell
from app.store.units.units import hold_lease

_NOTHING_MERGED: Final = MergeBounds()
_SMALL_BATCHES: Final = 25
"""So many of any size count as a full one."""

IS_OPEN: Final = """
    d.event = 'sync_job_run:record' and d.records > 0 and d.attempts = 0 and d.last_attempt_at is null and d.part = ''
"""
"""A batch of records, of ``delivery d``, that nobody has tried to send."""

# An event whose webhook is inactive is sent after all others.
_NEXT = text(f"""
    select d.id, d.webhook_id, d.resource_id, d.event, d.body, d.records, d.attempts, d.created_at, {IS_OPEN} as is_open
      from delivery d left join webhook w on w.id = d.webhook_id
     where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}'
     order by coalesce(w.is_active, true) desc, d.sequence, d.part collate "C" limit 1
""")

_SETTLE = text(f"""
    update delivery
       set status = :status, attempts = attempts + 1, last_status_code = :status_code, last_error = :error,
           last_attempt_at = now(), delivered_at = case when :status = '{DeliveryStatus.DELIVERED}' then now() end
     where id = :id and status in {origins(DeliveryStatus.DELIVERED)}
""")

# As a page does for a fetching unit: a unit that delivers events is not poison, however often its daemons die.
_PROGRESS = text("update unit set attempts = 0 where id = :unit_id")

# In the place of what it is a part of; the log's number stays with that.
_INSERT_PART = text("""
    insert into delivery (id, sequence, part, part_of, run_id, resource_id, webhook_id, integrated_account_id, event,
                          body, records, remote_ids)
    overriding system value
    select :id, whole.sequence, whole.part || :part, whole.id, whole.run_id, whole.resource_id, whole.webhook_id,
           whole.integrated_account_id, whole.event, :body, :records,
           whole.remote_ids[cast(:before as int) + 1 : cast(:before as int) + cast(:records as int)]
      from delivery whole where whole.id = :whole_id
""")

_FAILED_ATTEMPT = text("""
    update delivery
       set attempts = attempts + 1, last_status_code = :status_code, last_error = :error, last_attempt_at = now()
     where id = :id
""")

# In batches that are full, as they will be once they are merged; very many small ones are a backlog too.
_BACKLOG = text(f"""
    select count(*) = :most
           or coalesce(sum(least(1, greatest(records::float / :records, size::float / :bytes))), 0) >= :limit
      from (select records, octet_length(body) as size from delivery
             where run_id = :run_id and status = '{DeliveryStatus.PENDING}'
                   and event = 'sync_job_run:record' limit :most) backlog
""")

# Nothing is fetched before the receiver has agreed to the run, whatever else it gets first.
_UNBLOCK = text(f"""
    update unit set status = '{UnitStatus.READY}', wake_at = null, rung_at = now(), updated_at = now()
      from sync_job_run r
     where unit.run_id = :run_id and unit.status in {origins(UnitStatus.READY, UnitStatus.BLOCKED)}
           and r.id = unit.run_id
           and not exists (select from delivery d where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}'
                                  and d.event = 'sync_job_run:started')
 returning unit.run_id, unit.id, r.queue
""")

_LOCK_DELIVERY_UNIT = text("select id from unit where run_id = :run_id and kind = 'delivery' for no key update")

_HAND_BACK = text(f"""
    update unit set status = :status, lease_owner = null, lease_expires_at = null, wake_at = null, webhook_id = null,
           attempts = 0, rung_at = now(), updated_at = now(), {end_spell(":end")}
     where {IS_HELD}
""")


@retry_conflicts
class DeliveryStore:
    """The events of all runs."""

    def __init__(self, engine: Engine, bounds: MergeBounds = _NOTHING_MERGED) -> None:
        self._engine = engine
        self._bounds = bounds

    def find_next_event(self, run_id: str) -> PendingEvent | None:
        """Find the run's oldest event that is not delivered."""
        with reading(self._engine) as connection:
            row = connection.execute(_NEXT, {"run_id": run_id}).mappings().one_or_none()
        if row is None:
            return None
        return build_object(PendingEvent, row, body=bytes(row["body"]))

    def settle(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None,
        error: str | None,
        lease_seconds: float,
        backlog_limit: int,
    ) -> list[WakeUp]:
        """Write the final status of an event; list the units that may fetch again since the backlog shrank."""
        if event.records and end is not DeliveryStatus.DELIVERED:
            # Before, not with it: what webhooks know is locked before a delivery unit.
            with self._engine.begin() as connection:
                webhook_records.withdraw(connection, event.id)
        with self._engine.begin() as connection:
            hold_lease(connection, claim, lease_seconds=lease_seconds)
            connection.execute(_PROGRESS, {"unit_id": claim.unit_id})
            connection.execute(_SETTLE, {"id": event.id, "status": end, "status_code": status_code, "error": error})
            if event.resource_id and event.records:
                with driver_cursor(connection) as cursor:
                    checkpoint.count(cursor, event.resource_id, counters_of_end(end, event.records))
            if self._is_long(connection, claim.run_id, backlog_limit):
                return []
            rows = connection.execute(_UNBLOCK, {"run_id": claim.run_id}).all()
        return [WakeUp(run_id=str(run_id), unit_id=str(unit_id), queue=queue) for run_id, unit_id, queue in rows]

    def split(
        self,
        claim: Claim,
        event: PendingEvent,
        parts: Sequence[EventDraft],
        *,
        status_code: int | None,
        error: str,
        lease_seconds: float,
    ) -> None:
        """Replace an event by its parts, in its place in the line; its records are theirs."""
        with self._engine.begin() as connection:
            webhook_records.lock_of_event(connection, event.id)
            hold_lease(connection, claim, lease_seconds=lease_seconds)
            connection.execute(_PROGRESS, {"unit_id": claim.unit_id})
            end = {"status": DeliveryStatus.SPLIT, "status_code": status_code, "error": error}
            if connection.execute(_SETTLE, {"id": event.id, **end}).rowcount != 1:
                return
            before = 0
            for number, part in enumerate(parts):
                values = {"id": part.id, "whole_id": event.id, "part": str(number), "before": before}
                connection.execute(_INSERT_PART, {**values, "body": part.body, "records": part.records})
                before += part.records
            webhook_records.hand_over(connection, event.id, [part.id for part in parts])

    def record_failed_attempt(self, event: PendingEvent, *, status_code: int | None, error: str) -> None:
        """Record why an attempt failed; the event stays next in line."""
        with self._engine.begin() as connection:
            connection.execute(_FAILED_ATTEMPT, {"id": event.id, "status_code": status_code, "error": error})

    def go_idle(self, claim: Claim, *, run_is_final: bool, lease_seconds: float) -> bool:
        """Release the delivery unit when nothing is left to send; False when an event came in the meantime."""
        with self._engine.begin() as connection:
            # The lock makes a page write that queues events wait, so that none is missed between check and release.
            hold_lease(connection, claim, lease_seconds=lease_seconds)
            if connection.execute(_NEXT, {"run_id": claim.run_id}).first() is not None:
                return False
            status = UnitStatus.DONE if run_is_final else UnitStatus.IDLE
            parameters = {
                "unit_id": claim.unit_id,
                "fencing_token": claim.fencing_token,
                "status": status,
                "end": SpellEnd.IDLE,
            }
            connection.execute(_HAND_BACK, parameters)
        return True

    def is_long(self, run_id: str, *, limit: int) -> bool:
        """Whether so many batches of a run wait for delivery."""
        with reading(self._engine) as connection:
            return self._is_long(connection, run_id, limit)

    def wait_for_backlog(self, claim: Claim, *, backlog_limit: int) -> bool:
        """Block a fetching unit when too many events of its run wait for delivery; return whether it was blocked."""
        with self._engine.begin() as connection:
            connection.execute(_LOCK_DELIVERY_UNIT, {"run_id": claim.run_id})
            if not self._is_long(connection, claim.run_id, backlog_limit):
                return False
            parameters = {
                "unit_id": claim.unit_id,
                "fencing_token": claim.fencing_token,
                "status": UnitStatus.BLOCKED,
                "end": SpellEnd.RECEIVER,
            }
            connection.execute(_HAND_BACK, parameters)
        return True

    def _is_long(self, connection: Connection, run_id: str, limit: int) -> bool:
        is_merging = self._bounds.is_merging
        values = {
            "records": self._bounds.records if is_merging else 1,
            "bytes": self._bounds.bytes if is_merging else 1,
            "most": limit * _SMALL_BATCHES if is_merging else limit,
        }
        return bool(connection.execute(_BACKLOG, {**values, "run_id": run_id, "limit": limit}).scalar_one())


def counters_of_end(end: DeliveryStatus, records: int) -> Counters:
    """Return what a resource counts when an event of so many records comes to its end."""
    if end is DeliveryStatus.QUARANTINED:
        return Counters(queued=-records, quarantined=records)
    return Counters(**{end: records})
