"""Read what a run's page shows beside the run itself; each part is bounded, however large the run is."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import UnitKind
from app.engine.status import FINAL_UNIT_STATUSES, LIVE_UNIT_STATUSES, DeliveryStatus, UnitStatus
from app.services.dashboard.run_parts import ErrorGroup, ErrorGroups, RunDeliveries, RunParts
from app.services.dashboard.unit_spans import Spell, UnitSpan, UnitSpans
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.deliveries.shown import delivery_of
from app.store.tables.statuses import any_of
from app.store.units.spells import MOST_SPELLS

MOST_UNITS: Final = 60
"""Units of a run that are shown."""
MOST_ERRORS: Final = 2000
"""Errors and deliveries of a run that are looked at."""
_COMPARED_UNITS: Final = 2000
_MOST_GROUPS: Final = 50
_MOST_DELIVERIES: Final = 20

_NAMES: Final = text("""
    select j.label as job_label, a.tenant_id from sync_job_run r
      left join sync_job j on j.id = r.sync_job_id left join integrated_account a on a.id = r.integrated_account_id
     where r.id = :run_id
""")
_UNIT_COUNTS: Final = text("select status, count(*) from unit where run_id = :run_id group by status")

# Those that are not over; then the longest of the others, of which not all are compared.
_UNITS: Final = text(f"""
    with live as (
        select id, 0 as rank, created_at as key from unit
         where run_id = :run_id and status in {any_of(LIVE_UNIT_STATUSES)} limit :compared),
         ended as (
        select id, updated_at - created_at as length from unit
         where run_id = :run_id and status in {any_of(FINAL_UNIT_STATUSES)} limit :compared),
         chosen as (
        (select id from live order by key desc limit :limit)
        union all
        (select id from ended order by length desc limit greatest(0, :limit - (select count(*) from live))))
    select u.id, r.name as resource, u.kind, u.status, u.pages, u.attempts, u.created_at, u.updated_at, u.wake_at,
           u.lease_expires_at, u.slices, u.held_since, u.worked,
           case when u.status = '{UnitStatus.LEASED}' then
                (select d.label from daemon d where d.lease_owner = u.lease_owner limit 1) end as daemon,
           case when jsonb_typeof(u.elements) = 'array' then jsonb_array_length(u.elements) else 0 end as requests
      from chosen join unit u on u.id = chosen.id left join run_resource r on r.id = u.resource_id
     order by u.created_at, u.id
""")

_ERRORS: Final = text("""
    with newest as materialized (
        select id, resource, method, code, details ->> 'status' as status, created_at from run_error
         where run_id = :run_id order by created_at desc, id desc limit :most),
         grouped as (
        select resource, method, code, status, count(*) as count, min(created_at) as first_at,
               max(created_at) as last_at, (array_agg(id order by created_at desc, id desc))[1] as sample_id
          from newest group by resource, method, code, status)
    select grouped.*, e.message, e.details, (select count(*) from newest) as looked_at
      from grouped join run_error e on e.id = grouped.sample_id
     order by grouped.count desc, grouped.last_at desc limit :groups
""")

_DELIVERY_COUNTS: Final = text("""
    select status, count(*) from (select status from delivery where run_id = :run_id limit :most) listed group by status
""")
_COLUMNS: Final = ", ".join(column.name for column in tables.delivery.c if column.name != "body")
_UNDELIVERED: Final = text(f"""
    select * from (
        select {_COLUMNS} from delivery
         where run_id = :run_id and status not in ('{DeliveryStatus.DELIVERED}', '{DeliveryStatus.SPLIT}')
         limit :most) listed
     order by created_at desc, id desc limit :limit
""")

_NO_DELIVERIES: Final = RunDeliveries(counts={}, is_capped=False, undelivered=())


@retry_conflicts
class RunPartReader:
    """The parts of all runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, run_id: str, *, has_webhook: bool) -> RunParts:
        """Read those of a run; of one that is not there, nothing. Without a webhook it has no deliveries."""
        with reading(self._engine) as connection:
            names: Row = connection.execute(_NAMES, {"run_id": run_id}).mappings().one_or_none() or {}
            return RunParts(
                job_label=names.get("job_label"),
                tenant_id=names.get("tenant_id"),
                units=_read_units(connection, run_id),
                errors=_read_errors(connection, run_id),
                deliveries=_read_deliveries(connection, run_id) if has_webhook else _NO_DELIVERIES,
            )


def _read_units(connection: Connection, run_id: str) -> UnitSpans:
    counts = connection.execute(_UNIT_COUNTS, {"run_id": run_id}).all()
    values = {"run_id": run_id, "compared": _COMPARED_UNITS, "limit": MOST_UNITS}
    rows = connection.execute(_UNITS, values).mappings().all()
    return UnitSpans(counts={UnitStatus(row[0]): row[1] for row in counts}, shown=[_span(row) for row in rows])


def _span(row: Row) -> UnitSpan:
    spells = [
        Spell(begun_at=_moment(begun), ended_at=_moment(ended), end=SpellEnd(end))
        for begun, ended, end in row["worked"]
    ]
    return build_object(
        UnitSpan,
        row,
        kind=UnitKind(row["kind"]),
        status=UnitStatus(row["status"]),
        worked=spells,
        is_cut=len(spells) == MOST_SPELLS,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _read_errors(connection: Connection, run_id: str) -> ErrorGroups:
    values = {"run_id": run_id, "most": MOST_ERRORS, "groups": _MOST_GROUPS}
    rows = connection.execute(_ERRORS, values).mappings().all()
    groups = [build_object(ErrorGroup, row, status=_status(row["status"])) for row in rows]
    return ErrorGroups(groups=groups, is_capped=bool(rows) and rows[0]["looked_at"] == MOST_ERRORS)


def _status(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def _read_deliveries(connection: Connection, run_id: str) -> RunDeliveries:
    counts = connection.execute(_DELIVERY_COUNTS, {"run_id": run_id, "most": MOST_ERRORS}).all()
    values = {"run_id": run_id, "most": MOST_ERRORS, "limit": _MOST_DELIVERIES}
    rows = connection.execute(_UNDELIVERED, values).mappings().all()
    counted = {row[0]: row[1] for row in counts}
    return RunDeliveries(
        counts=counted,
        is_capped=sum(counted.values()) == MOST_ERRORS,
        undelivered=[delivery_of(row) for row in rows],
    )
