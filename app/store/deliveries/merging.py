"""Merge the batches of a run that wait for its webhook, under its delivery unit's lease.

A batch that is about to be sent for the first time is marked so before: a daemon that goes on after a crash there sends
it again as it is, under its id. So no record reaches a receiver under two ids.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, text

from app.engine.runs.work import Claim
from app.engine.status import DeliveryStatus, UnitStatus
from app.engine.webhooks.merging import (
    Line,
    MergeBounds,
    Merged,
    Node,
    RelatedResources,
    Waiting,
    merge_line,
    write_merged_body,
    write_numbers,
)
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.deliveries.deliveries import IS_OPEN
from app.store.records import webhook_records
from app.store.tables.statuses import is_due
from app.store.units.units import hold_lease

_MOST: Final = 1000
"""Events of a line that are looked at."""

_LINE: Final = f"""
    select d.id, d.resource_id, d.records, octet_length(d.body) as size, {IS_OPEN} as is_open,
           d.log_sequence, d.previous_log_sequence, {{body}} as body
      from delivery d
     where d.run_id = :run_id and d.webhook_id = :webhook_id and d.status = '{DeliveryStatus.PENDING}'
     order by d.sequence, d.part collate "C" limit {_MOST}
"""
_LOOK = text(_LINE.format(body="null"))
_TAKE = text(
    _LINE.format(body="case when d.records < :most_records and octet_length(d.body) < :most_bytes then d.body end")
)

# A blocked unit waits for this line itself, and one that sleeps may do so for long.
_IS_FETCHED = text(f"""
    select exists (select from unit where run_id = :run_id and kind = 'fetch'
                          and (status = '{UnitStatus.LEASED}' or {is_due()}))
""")
_AGE = text("select extract(epoch from now() - created_at) from delivery where id = :id")

_NODES = text("select id, name, resource, parent_name from run_resource where run_id = :run_id")

_SEAL = text("update delivery set last_attempt_at = now() where id = :id")

_MERGE = text("""
    update delivery
       set body = :body, previous_log_sequence = :previous,
           records = (select sum(part.records) from delivery part where part.id = any(cast(:ids as uuid[]))),
           remote_ids = (select array_agg(given.remote_id order by part.sequence, given.position)
                           from delivery part, unnest(part.remote_ids) with ordinality given (remote_id, position)
                          where part.id = any(cast(:ids as uuid[])))
     where id = :id
""")
_REMOVE = text("delete from delivery where id = any(cast(:ids as uuid[]))")

_RENUMBER = text("""
    update delivery
       set body = substring(body from 1 for octet_length(body) - :cut) || cast(:numbers as bytea),
           previous_log_sequence = :previous
     where id = :id
""")


@retry_conflicts
class DeliveryMerger:
    """The lines of all runs."""

    def __init__(self, engine: Engine, bounds: MergeBounds) -> None:
        self._engine = engine
        self._bounds = bounds

    def read_line(self, run_id: str, webhook_id: str) -> Line | None:
        """Read a run's line of events, and whether more may come to it; None when nothing waits."""
        with reading(self._engine) as connection:
            rows = connection.execute(_LOOK, {"run_id": run_id, "webhook_id": webhook_id}).mappings().all()
            if not rows:
                return None
            age = connection.execute(_AGE, {"id": rows[0]["id"]}).scalar_one_or_none()
            is_fetched = connection.execute(_IS_FETCHED, {"run_id": run_id}).scalar_one()
        return Line(waiting=[_waiting(row) for row in rows], age_seconds=float(age or 0.0), is_fetched=is_fetched)

    def merge(self, claim: Claim, webhook_id: str, *, lease_seconds: float) -> None:
        """Merge what waits, and mark the first of it as about to be sent; raise LeaseLostError."""
        with self._engine.begin() as connection:
            webhook_records.lock_of_run(connection, claim.run_id)
            hold_lease(connection, claim, lease_seconds=lease_seconds)
            line = {"run_id": claim.run_id, "webhook_id": webhook_id}
            bounds = {"most_records": self._bounds.records, "most_bytes": self._bounds.bytes}
            rows = connection.execute(_TAKE, {**line, **bounds}).mappings().all()
            merged = merge_line([_waiting(row) for row in rows], self._bounds, _kinship(connection, claim.run_id))
            for batch in merged:
                if batch.is_changed:
                    _write(connection, batch)
            if merged:
                connection.execute(_SEAL, {"id": merged[0].last.id})


def _write(connection: Connection, batch: Merged) -> None:
    id, values = batch.last.id, {"previous": batch.previous_sequence}
    if len(batch.parts) == 1:
        old = write_numbers(Merged(parts=batch.parts, previous_sequence=batch.last.previous_sequence))
        connection.execute(_RENUMBER, {**values, "id": id, "cut": len(old), "numbers": write_numbers(batch)})
        return
    ids = [part.id for part in batch.parts]
    connection.execute(_MERGE, {**values, "id": id, "ids": ids, "body": write_merged_body(batch)})
    webhook_records.take_over(connection, id, ids[:-1])
    connection.execute(_REMOVE, {"ids": ids[:-1]})


def _kinship(connection: Connection, run_id: str) -> RelatedResources:
    rows: Sequence[Any] = connection.execute(_NODES, {"run_id": run_id}).all()
    return RelatedResources(
        [Node(id=str(row.id), name=row.name, resource=row.resource, parent_name=row.parent_name) for row in rows]
    )


def _waiting(row: RowMapping) -> Waiting:
    return Waiting(
        id=str(row["id"]),
        resource_id=str(row["resource_id"]) if row["resource_id"] else None,
        records=row["records"],
        size=row["size"],
        is_open=row["is_open"],
        body=bytes(row["body"]) if row["body"] is not None else None,
        sequence=row["log_sequence"],
        previous_sequence=row["previous_log_sequence"],
    )
