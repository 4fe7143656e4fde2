"""Move a run from one status to the next: always one conditional UPDATE, so a late or doubled move is harmless.

The run's row is locked first, then its units, then its resources (pages.py tells the rest of the order).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.json_types import JsonObject
from app.engine.objects import SyncJobRun
from app.engine.settling import Progress
from app.engine.status import ResourceStatus, RunStatus, allowed_origins
from app.engine.times import iso_utc
from app.engine.work import ErrorDraft, EventDraft, Pass, Ring, UnitDraft, UnitKind, Vanished
from app.store import mutexes, reopening, spools, stuck_runs, tombstones, webhook_changes
from app.store.announcements import insert_announcements
from app.store.database import reading
from app.store.outbox import START_RUN_TASK, insert_message
from app.store.pages import insert_errors, insert_events, numbered
from app.store.run_progress import read_progress
from app.store.run_rows import find_run
from app.store.single_statements import singles_of
from app.store.units import insert_units

# clock_timestamp(), not now(): a stop that waited for a page's lock must not end before that page.
_MOVE = text("""
    update sync_job_run
       set status = :target, updated_at = clock_timestamp(),
           error = case when :target = 'created' then null else coalesce(:error, error) end,
           retry_after = case when :target = 'rate_limited' then cast(:retry_after as timestamptz) end,
           daemon_id = case when :target = 'created' then null else daemon_id end,
           resumes = resumes + case when :target = 'created' then 1 else 0 end,
           rung_at = case when :target = 'created' then now() else rung_at end,
           completed_at = case when :target = 'completed' then coalesce(completed_at, now()) else completed_at end,
           finished_at = case when :is_final then clock_timestamp() end
     where id = :run_id and status = any(:origins)
 returning case when :is_told then array(
               select cast(w.id as text) from webhook w
                where w.environment_id = sync_job_run.environment_id and w.event_types is not null and w.is_active
                      and 'sync_job_run:' || cast(:target as text) = any(w.event_types)
                      and w.id is distinct from sync_job_run.webhook_id) end as watchers
""").bindparams(bindparam("error", type_=JSONB(none_as_null=True)))

# A run that waits for another one's mutex stays as it is.
_SET_RUNNING = """
    update sync_job_run
       set status = 'running', updated_at = clock_timestamp(), daemon_id = :daemon_id,
           started_at = coalesce(started_at, clock_timestamp())
     where id = :run_id and status = 'created'
"""

# Most runs have no mutex, and nobody to wait for.
_TAKE_UP_AT_ONCE = text(f"{_SET_RUNNING} and mutex_key is null")

_TAKE_UP = text(f"{_SET_RUNNING} and not {mutexes.waits('sync_job_run')}")

_CANCEL_UNITS = text("""
    update unit set status = 'cancelled', fencing_token = fencing_token + 1,
           lease_owner = null, lease_expires_at = null, updated_at = now()
     where run_id = :run_id and kind = :kind and status in ('blocked', 'idle', 'ready', 'leased')
""")

# A stopped run sends nothing more; a failed one still delivers what it had queued, and the failed event.
_CANCEL_DELIVERIES = text("update delivery set status = 'cancelled' where run_id = :run_id and status = 'pending'")

_END_RESOURCES = text("""
    update run_resource set status = :status, finished_at = clock_timestamp()
     where run_id = :run_id and status in ('waiting', 'running')
""")

_LOCK = text("""
    select status, begun_at is not null as has_begun, deletions_decided from sync_job_run
     where id = :run_id for no key update
""")

_DECIDE_DELETIONS = text("update sync_job_run set deletions_decided = true where id = :run_id")

_COUNT_DELETED = text("""
    update run_resource set deleted = deleted + :count, queued = queued + :count where id = :resource_id
""")

_END_RESOURCE = text("update run_resource set status = :status, finished_at = clock_timestamp() where id = :id")

_COUNT_ERROR = text("update run_resource set errors = errors + 1 where run_id = :run_id and name = :name")

_FIRST_ERROR = text("""
    select code, message, resource, created_at as at from run_error
     where run_id = :run_id order by created_at, id limit 1
""")

_BEGIN = text("update sync_job_run set begun_at = now() where id = :run_id and status = 'running' and begun_at is null")


class RunMoves:
    """The moves of all runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._singles = singles_of(engine)

    def move(self, run_id: str, target: RunStatus, *, error: JsonObject | None = None) -> bool:
        """Move the run when its status allows it, and end its units with it; tell whether it moved."""
        with self._engine.begin() as connection:
            return move(connection, run_id, target, error=error) is not None

    def take_up(self, run_id: str, *, daemon_id: str) -> bool:
        """Move a created run to running, unless it waits for another one's mutex; tell whether it moved."""
        parameters = {"run_id": run_id, "daemon_id": daemon_id}
        if self._singles.count(_TAKE_UP_AT_ONCE, parameters) == 1:
            return True
        with self._engine.begin() as connection:
            mutexes.lock(connection, run_id)
            return connection.execute(_TAKE_UP, parameters).rowcount == 1

    def next_in_line(self, run_id: str) -> tuple[str, str] | None:
        """Find the run that waited for this one's mutex and may start now, with its queue."""
        with reading(self._engine) as connection:
            return mutexes.next_in_line(connection, run_id)

    def unblock(self, run_id: str, queue: str) -> Sequence[Ring]:
        """Let the units of a running run go that no event of it holds back; list what to ring."""
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
    ) -> bool:
        """Write a run's first units, events and errors once; False when it has them already or is not running."""
        with self._engine.begin() as connection:
            if connection.execute(_BEGIN, {"run_id": run_id}).rowcount != 1:
                return False
            insert_units(connection, run_id, units)
            insert_events(connection, run_id, events)
            insert_errors(connection, run_id, errors)
            for error in errors:
                connection.execute(_COUNT_ERROR, {"run_id": run_id, "name": error.resource})
            return True

    def locked(self, run_id: str) -> "LockedRun":
        """Open a transaction that holds the run's row, to decide about its end; use as a context manager."""
        return LockedRun(self._engine, run_id)


class LockedRun:
    """A run whose row is locked: what is left of it can be read and its next status written without a race."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._transaction = engine.begin()
        self._run_id = run_id
        self.watchers: Sequence[str] = ()

    def __enter__(self) -> "LockedRun":
        self._connection = self._transaction.__enter__()
        row = self._connection.execute(_LOCK, {"run_id": self._run_id}).one_or_none()
        self.status = RunStatus(row.status) if row else None
        self.has_begun = bool(row and row.has_begun)
        self.has_decided_deletions = bool(row and row.deletions_decided)
        return self

    def __exit__(self, *exception: object) -> None:
        self._transaction.__exit__(*exception)  # type: ignore[arg-type]  # the three values of __exit__

    def shown(self) -> SyncJobRun:
        """Read the run with its stats, as this transaction leaves it."""
        run = find_run(self._connection, self._run_id)
        assert run is not None
        return run

    def progress(self) -> Progress:
        """Read the run's resources with their counters and units that are left, and what waits for the webhook."""
        return read_progress(self._connection, self._run_id)

    def end_resource(self, resource_id: str, status: ResourceStatus) -> None:
        """Give a resource its last status."""
        self._connection.execute(_END_RESOURCE, {"id": resource_id, "status": status})

    def close_spool(self, resource_id: str) -> str | None:
        """Make a unit of what a spool has gathered, unless all of it was given on; give the unit's id."""
        return spools.close(self._connection, self._run_id, resource_id)

    def first_error(self) -> JsonObject | None:
        """Give the run's first recorded error as ``{code, message, resource, at}``."""
        row = self._connection.execute(_FIRST_ERROR, {"run_id": self._run_id}).mappings().first()
        return {**row, "at": iso_utc(row["at"])} if row else None

    def move(self, target: RunStatus, *, error: JsonObject | None = None, retry_after: datetime | None = None) -> bool:
        """Move the run, in this transaction."""
        watchers = move(self._connection, self._run_id, target, error=error, retry_after=retry_after)
        self.watchers = watchers or ()
        return watchers is not None

    def mend(self, queue: str) -> list[Ring]:
        """Free what waits for nothing, in this transaction; list what to ring."""
        return stuck_runs.mend(self._connection, self._run_id, queue)

    def what_is_left(self) -> str | None:
        """Describe what the run has left that nobody can work on; None when somebody can."""
        return stuck_runs.what_is_left(self._connection, self._run_id)

    def has_failed_requests(self) -> bool:
        """Claim that requests of the run failed for good, and were not made again since."""
        return reopening.has_failed_requests(self._connection, self._run_id)

    def reopen(self, *, errors_only: bool, queue: str) -> int:
        """Create an ended run anew with what is left of it, in this transaction; give its promised message."""
        move(self._connection, self._run_id, RunStatus.CREATED)
        reopening.reopen(self._connection, self._run_id, errors_only=errors_only)
        return insert_message(self._connection, task=START_RUN_TASK, args=[self._run_id], queue=queue)

    def record_errors(self, errors: Sequence[ErrorDraft]) -> None:
        """Keep errors for ``GET /errors``, in this transaction."""
        insert_errors(self._connection, self._run_id, errors)
        for error in errors:
            self._connection.execute(_COUNT_ERROR, {"run_id": self._run_id, "name": error.resource})

    def count_vanished(self, ended: Pass) -> Vanished:
        """Count the records that a pass has not seen; nobody else writes any until this transaction ends."""
        if ended.webhook_id:
            return webhook_changes.count_vanished(self._connection, ended)
        return tombstones.count_vanished(self._connection, ended)

    def delete_vanished(self, ended: Pass, *, count: int) -> None:
        """Make tombstones of what was counted, in this transaction."""
        tombstones.delete_vanished(self._connection, ended, count=count)

    def tell_vanished(self, ended: Pass, tell: Callable[[Sequence[str]], Sequence[EventDraft]]) -> str | None:
        """Queue events that tell of what was counted, once per run; give the delivery unit to ring."""
        drafts = numbered(
            self._connection, ended.account_id, webhook_changes.delete_vanished(self._connection, ended, tell)
        )
        self._connection.execute(_DECIDE_DELETIONS, {"run_id": self._run_id})
        unit_id = self.queue_events(drafts)
        count = sum(draft.records for draft in drafts)
        self._connection.execute(_COUNT_DELETED, {"resource_id": ended.resource_ids[0], "count": count})
        return unit_id

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        """Queue events for delivery, in this transaction; give the delivery unit to ring."""
        return insert_events(self._connection, self._run_id, events)

    def announce(self, events: Sequence[EventDraft]) -> None:
        """Queue events for webhooks that are not the run's, in this transaction."""
        insert_announcements(self._connection, events)


def move(
    connection: Connection,
    run_id: str,
    target: RunStatus,
    *,
    error: JsonObject | None = None,
    retry_after: datetime | None = None,
) -> Sequence[str] | None:
    """Move the run and end what is left of it; list the other webhooks that named this end's event. None: it stays."""
    # Only take_up, which minds mutexes, starts a created run.
    origins = allowed_origins(target) - ({RunStatus.CREATED} if target is RunStatus.RUNNING else frozenset())
    parameters = {
        "run_id": run_id,
        "target": target,
        "error": error,
        "retry_after": retry_after,
        "is_final": target.is_final,
        "is_told": target in (RunStatus.COMPLETED, RunStatus.FAILED),
        "origins": [str(origin) for origin in origins],
    }
    moved = connection.execute(_MOVE, parameters).one_or_none()
    if moved is None:
        return None
    if target.is_final:
        _cancel_units(connection, run_id, UnitKind.FETCH)
        if target is RunStatus.STOPPED:
            webhook_changes.take_back_waiting(connection, run_id)
            _cancel_units(connection, run_id, UnitKind.DELIVERY)
            connection.execute(_CANCEL_DELIVERIES, {"run_id": run_id})
        if target is RunStatus.COMPLETED:
            tombstones.forget_seen(connection, run_id)
        ended = ResourceStatus.FAILED if target is RunStatus.FAILED else ResourceStatus.STOPPED
        connection.execute(_END_RESOURCES, {"run_id": run_id, "status": ended})
    return moved.watchers or ()


def _cancel_units(connection: Connection, run_id: str, kind: UnitKind) -> None:
    """Cancel a run's units, those too that a page makes while this waits for its lock.

    A statement does not see rows that were committed after it began; once one finds no live unit, nobody is left who
    could make another.
    """
    while connection.execute(_CANCEL_UNITS, {"run_id": run_id, "kind": kind}).rowcount:
        pass
