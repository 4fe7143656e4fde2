"""The moves of runs: taken up, started, moved on.

The run's row is locked first, then its units, then its resources (pages.py has the rest of the order).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from app.engine.jobs.item_keys import KeyNote
from app.engine.json_types import JsonObject
from app.engine.records.rows import encode
from app.engine.runs.work import ErrorDraft, EventDraft, UnitDraft, UnitKind, WakeUp
from app.engine.status import RunStatus
from app.services.runs.conflicts import retry_conflicts
from app.store.db.autocommit import autocommit_of
from app.store.db.database import driver_cursor, reading
from app.store.records import keys as record_keys
from app.store.runs import mutexes, reopening, status
from app.store.runs.locked import LockedRun
from app.store.tables.statuses import origins
from app.store.units import checkpoint

# The log of these is written within some 30 ms, or with the claim of the first unit, whose commit is waited for. Should
# Postgres die before that, the run is as it was, and the sweeper wakes it again.
_NOBODY_WAITS = "set_config('synchronous_commit', 'off', true) is not null"

# A run that waits for another one's mutex stays as it is.
_SET_RUNNING = f"""
    update sync_job_run
       set status = '{RunStatus.RUNNING}', updated_at = clock_timestamp(), daemon_id = :daemon_id,
           started_at = coalesce(started_at, clock_timestamp())
     where id = :run_id and status in {origins(RunStatus.RUNNING, RunStatus.CREATED)}
"""

# Most runs have no mutex, and nobody to wait for.
_TAKE_UP_AT_ONCE = text(f"{_SET_RUNNING} and mutex_key is null and {_NOBODY_WAITS}")

_TAKE_UP = text(f"{_SET_RUNNING} and not {mutexes.waits('sync_job_run')}")

_LOCK = text("select status from sync_job_run where id = :run_id for no key update")

_HAS_DELIVERY_UNIT = text("select exists (select from unit where run_id = :run_id and kind = 'delivery')")

_HAS_ERROR = text("""
    select exists (select from run_error where run_id = :run_id and code = :code and message = :message)
""")

_HAS_NOT_BEGUN = f"id = :run_id and status = '{RunStatus.RUNNING}' and begun_at is null"

_BEGIN = text(f"update sync_job_run set begun_at = now() where {_HAS_NOT_BEGUN}")

# No resume mends them.
_COUNT_LOOP_ERROR = text("""
    update run_resource set errors = errors + 1, has_gaps = true where run_id = :run_id and name = :name
""")

_BEGIN_WITH_UNITS = f"""
    with begun as (
        update sync_job_run set begun_at = now()
         where {_HAS_NOT_BEGUN} and {{nobody_waits}}
     returning id),
         made as (
        insert into unit (id, run_id, resource_id, kind, status, elements)
        select draft.id, begun.id, draft.resource_id, draft.kind, draft.status, draft.elements
          from begun,
               unnest(cast(:ids as uuid[]), cast(:resource_ids as uuid[]), cast(:kinds as text[]),
                      cast(:statuses as text[]), cast(:elements as jsonb[]))
               draft (id, resource_id, kind, status, elements)){{also}}
    select count(*) as begun from begun
"""

# What most runs begin with is units alone: one trip, and one commit.
_WITH_UNITS_ALONE = text(_BEGIN_WITH_UNITS.format(nobody_waits=_NOBODY_WAITS, also=""))
_WITH_KEYS = text(_BEGIN_WITH_UNITS.format(nobody_waits=_NOBODY_WAITS, also=f", noted as ({record_keys.NOTE})"))


@retry_conflicts
class RunMoves:
    """The moves of all runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = autocommit_of(engine)

    def move(self, run_id: str, target: RunStatus, *, error: JsonObject | None = None) -> bool:
        """Move the run when its status allows it, and end its units with it; return whether it moved."""
        with self._engine.begin() as connection:
            return status.move(connection, run_id, target, error=error) is not None

    def take_up(self, run_id: str, *, daemon_id: str) -> bool:
        """Move a created run to running, unless it waits for another one's mutex; return whether it moved."""
        parameters = {"run_id": run_id, "daemon_id": daemon_id}
        if self._autocommit.count(_TAKE_UP_AT_ONCE, parameters) == 1:
            return True
        with self._engine.begin() as connection:
            mutexes.lock(connection, run_id)
            return connection.execute(_TAKE_UP, parameters).rowcount == 1

    def find_next_in_line(self, run_id: str) -> tuple[str, str] | None:
        """Find the run that waited for this one's mutex and may start now, with its queue."""
        with reading(self._engine) as connection:
            return mutexes.find_next_in_line(connection, run_id)

    def unblock(self, run_id: str, queue: str) -> Sequence[WakeUp]:
        """Unblock the units of a running run that no event of it holds back; list the wake-ups to send."""
        with self._engine.begin() as connection:
            row = connection.execute(_LOCK, {"run_id": run_id}).one_or_none()
            if row is None or row.status != RunStatus.RUNNING:
                return []
            return reopening.unblock(connection, run_id, queue)

    def start(
        self,
        run_id: str,
        *,
        units: Sequence[UnitDraft],
        events: Sequence[EventDraft],
        errors: Sequence[ErrorDraft],
        keys: Sequence[KeyNote] = (),
    ) -> bool:
        """Write a run's first units, events and errors once; False when it has them already or is not running."""
        changes_keys = any(note.rekeyings for note in keys)
        if not (events or errors or changes_keys) and all(unit.kind is UnitKind.FETCH for unit in units):
            return self._start_with(run_id, units, keys)
        with self._engine.begin() as connection:
            if connection.execute(_BEGIN, {"run_id": run_id}).rowcount != 1:
                return False
            record_keys.write(connection, run_id, keys)
            units = _drop_existing_delivery_unit(connection, run_id, units)
            with driver_cursor(connection) as cursor:
                checkpoint.insert_units(cursor, run_id, units)
                checkpoint.insert_events(cursor, run_id, events)
                checkpoint.insert_errors(cursor, run_id, errors)
            for error in errors:
                connection.execute(_COUNT_LOOP_ERROR, {"run_id": run_id, "name": error.resource})
            return True

    def _start_with(self, run_id: str, units: Sequence[UnitDraft], keys: Sequence[KeyNote]) -> bool:
        values = {
            "run_id": run_id,
            "ids": [unit.id for unit in units],
            "resource_ids": [unit.resource_id for unit in units],
            "kinds": [unit.kind.value for unit in units],
            "statuses": [unit.status.value for unit in units],
            "elements": [encode(list(unit.elements)).decode() for unit in units],
        }
        if keys:
            row = self._autocommit.one(_WITH_KEYS, {**values, **record_keys.values_of(keys)})
        else:
            row = self._autocommit.one(_WITH_UNITS_ALONE, values)
        return row is not None and bool(row["begun"])

    def record_error(self, run_id: str, error: ErrorDraft) -> None:
        """Keep an error of a run that need not be readable, once; nothing of one that is not there."""
        known = {"run_id": run_id, "code": error.code, "message": error.message}
        with self._engine.begin() as connection:
            if connection.execute(_LOCK, {"run_id": run_id}).first() is None:
                return
            # Each of its units may come to it again and again.
            if not connection.execute(_HAS_ERROR, known).scalar_one():
                with driver_cursor(connection) as cursor:
                    checkpoint.insert_errors(cursor, run_id, [error])

    def lock(self, run_id: str) -> "LockedRun":
        """Open a transaction that holds the run's row, to decide about its end; use as a context manager."""
        return LockedRun(self._engine, run_id)


def _drop_existing_delivery_unit(
    connection: Connection, run_id: str, units: Sequence[UnitDraft]
) -> Sequence[UnitDraft]:
    """Remove the delivery unit when the run has one: it failed before it began, and was resumed."""
    has_delivery = any(unit.kind is UnitKind.DELIVERY for unit in units)
    if has_delivery and connection.execute(_HAS_DELIVERY_UNIT, {"run_id": run_id}).scalar_one():
        return [unit for unit in units if unit.kind is not UnitKind.DELIVERY]
    return units
