"""A run whose row is locked, to decide about its end: what is left of it, and what becomes of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, bindparam, literal_column, text

from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.records.outcomes import PageWarning
from app.engine.runs.landing import AwaitedDestination
from app.engine.runs.settling import Progress
from app.engine.runs.work import ErrorDraft, EventDraft, Pass, Vanished, WakeUp
from app.engine.status import ResourceStatus, RunStatus
from app.engine.times import format_utc
from app.store import tables
from app.store.announcements.announcements import insert_announcements
from app.store.db.database import driver_cursor
from app.store.records import keys as record_keys
from app.store.records import tombstones, webhook_changes
from app.store.runs import increments, landing, reopening, status, stuck
from app.store.runs.outbox import START_RUN_TASK, insert_message
from app.store.runs.rows import SELECT_RUN, find_run, read_progress, run_of
from app.store.tables.statuses import origins
from app.store.units import checkpoint, spools
from app.store.units.units import add_delivery_unit

_IS_REKEYING = """
    exists (select from run_resource where run_id = sync_job_run.id and rekeying is not null)
"""
_READ_LOCKED = (
    SELECT_RUN.add_columns(literal_column(_IS_REKEYING).label("is_rekeying"))
    .where(tables.sync_job_run.c.id == bindparam("id"))
    .with_for_update(key_share=True, of=tables.sync_job_run)
)

_DECIDE_DELETIONS = text("update sync_job_run set deletions_decided = true where id = :run_id")

_COUNT_DELETED = text("""
    update run_resource set deleted = deleted + :count, queued = queued + :count where id = :resource_id
""")

_END_RESOURCES = text(f"""
    update run_resource set status = ended.status, finished_at = clock_timestamp()
      from unnest(cast(:ids as uuid[]), cast(:statuses as text[])) ended (id, status)
     where run_resource.id = ended.id and run_resource.status in {origins(ResourceStatus.COMPLETED)}
""")

_COUNT_ERROR = text("update run_resource set errors = errors + 1 where run_id = :run_id and name = :name")

_FIRST_ERROR = text("""
    select code, message, resource, created_at as at from run_error
     where run_id = :run_id and (cardinality(cast(:resources as text[])) = 0 or resource = any(:resources))
     order by case when :is_resumed then created_at end desc, created_at, id limit 1
""")


class LockedRun:
    """A run whose row is locked: what is left of it can be read and its next status written without a race."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._transaction = engine.begin()
        self._run_id = run_id
        self.run: SyncJobRun | None = None
        self.watchers: Sequence[str] = ()

    def __enter__(self) -> "LockedRun":
        self._connection = self._transaction.__enter__()
        row = self._connection.execute(_READ_LOCKED, {"id": self._run_id}).mappings().one_or_none()
        self.run = run_of(row, {}) if row else None
        self.status = self.run.status if self.run else None
        self.has_begun = row is not None and row["begun_at"] is not None
        self.is_rekeying = row is not None and row["is_rekeying"]
        self.has_decided_deletions = row is not None and row["deletions_decided"]
        return self

    def __exit__(self, *exception: object) -> None:
        self._transaction.__exit__(*exception)  # type: ignore[arg-type]  # the three values of __exit__

    def read_run(self) -> SyncJobRun:
        """Read the run with its stats, as this transaction leaves it."""
        run = find_run(self._connection, self._run_id)
        assert run is not None
        return run

    def progress(self) -> Progress:
        """Read the run's resources with their counters and units that are left, and what waits for the webhook."""
        return read_progress(self._connection, self._run_id)

    def end_resources(self, ended: Mapping[str, ResourceStatus]) -> None:
        """Write the last status of resources, by id."""
        if ended:
            self._connection.execute(_END_RESOURCES, {"ids": list(ended), "statuses": list(ended.values())})

    def find_unread_resources(self) -> Sequence[str]:
        """List the resources with requests that failed or were never made."""
        return increments.find_unread(self._connection, self._run_id)

    def hold_increments(self, names: Collection[str]) -> None:
        """Make the next run request these resources from where this one did, the others from where this one ends."""
        increments.hold(self._connection, self._run_id, names)

    def close_spool(self, resource_id: str) -> str | None:
        """Make a unit of what a spool has gathered, unless all of it was passed on; return the unit's id."""
        return spools.close(self._connection, self._run_id, resource_id)

    def find_first_error(self, resources: Sequence[str] = ()) -> JsonObject | None:
        """Return the first recorded error of these resources, or of all, as ``{code, message, resource, at}``.

        Of a run that was resumed, the last one: the first may be mended.
        """
        is_resumed = self.run is not None and self.run.resumes > 0
        values = {"run_id": self._run_id, "resources": list(resources), "is_resumed": is_resumed}
        row = self._connection.execute(_FIRST_ERROR, values).mappings().first()
        return {**row, "at": format_utc(row["at"])} if row else None

    def move(self, target: RunStatus, *, error: JsonObject | None = None, retry_after: datetime | None = None) -> bool:
        """Move the run, in this transaction."""
        watchers = status.move(self._connection, self._run_id, target, error=error, retry_after=retry_after)
        self.watchers = watchers or ()
        return watchers is not None

    def mend(self, queue: str) -> list[WakeUp]:
        """Free what waits for nothing, in this transaction; list the wake-ups to send."""
        return stuck.mend(self._connection, self._run_id, queue)

    def describe_remains(self) -> str | None:
        """Describe what the run has left that no daemon can work on; None when one can."""
        return stuck.describe_remains(self._connection, self._run_id)

    def has_failed_requests(self) -> bool:
        """Whether requests of the run failed for good, and were not made again since."""
        return reopening.has_failed_requests(self._connection, self._run_id)

    def reopen(self, *, errors_only: bool, queue: str) -> int:
        """Create an ended run anew with what is left of it, in this transaction; return its promised message."""
        status.move(self._connection, self._run_id, RunStatus.CREATED)
        reopening.reopen(self._connection, self._run_id, errors_only=errors_only)
        return insert_message(self._connection, task=START_RUN_TASK, args=[self._run_id], queue=queue)

    def record_errors(self, errors: Sequence[ErrorDraft]) -> None:
        """Record errors for ``GET /errors``, in this transaction."""
        with driver_cursor(self._connection) as cursor:
            checkpoint.insert_errors(cursor, self._run_id, errors)
        for error in errors:
            self._connection.execute(_COUNT_ERROR, {"run_id": self._run_id, "name": error.resource})

    def count_vanished(self, ended: Pass) -> Vanished:
        """Count the records that a pass has not seen; nobody else writes any until this transaction ends."""
        if ended.webhook_id:
            return webhook_changes.count_vanished(self._connection, ended)
        return tombstones.count_vanished(self._connection, ended)

    def read_held_keys(self, ended: Pass) -> JsonObject | None:
        """Read ``{keys, is_shared, has_others}`` of a pass' records, which nobody changes until this ends."""
        return record_keys.lock(self._connection, ended)

    def has_old_records(self, ended: Pass) -> bool:
        """Whether the account has records from before its job brought any by another key."""
        return record_keys.has_old(self._connection, ended)

    def replace_keys(self, ended: Pass, keys: Sequence[JsonObject]) -> None:
        """Record that a pass' records are held by these keys alone, in this transaction."""
        record_keys.replace(self._connection, ended, keys)

    def read_awaited(self) -> Sequence[AwaitedDestination]:
        """List the destinations that read what the run has changed."""
        return landing.read_awaited(self._connection, self._run_id)

    def begin_landing(self) -> None:
        """Record that all but its destinations is done, in this transaction."""
        landing.begin(self._connection, self._run_id)

    def note_landed(self, landed: Sequence[AwaitedDestination]) -> None:
        """Write what became of its records at its destinations, in this transaction."""
        landing.note_landed(self._connection, self._run_id, landed)

    def warn(self, resource_id: str, warning: PageWarning) -> None:
        """Count a warning of one of the run's resources, in this transaction."""
        with driver_cursor(self._connection) as cursor:
            checkpoint.warn(cursor, resource_id, [warning])

    def delete_vanished(self, ended: Pass, *, count: int) -> None:
        """Make tombstones of what was counted, in this transaction."""
        tombstones.delete_vanished(self._connection, ended, count=count)

    def queue_vanished(self, ended: Pass, draft: Callable[[Sequence[str]], Sequence[EventDraft]]) -> str | None:
        """Queue events for what was counted, once per run; return the delivery unit to wake."""
        events = webhook_changes.delete_vanished(self._connection, ended, draft)
        with driver_cursor(self._connection) as cursor:
            events = checkpoint.number_batches(cursor, ended.account_id, events)
        self._connection.execute(_DECIDE_DELETIONS, {"run_id": self._run_id})
        unit_id = self.queue_events(events)
        count = sum(event.records for event in events)
        self._connection.execute(_COUNT_DELETED, {"resource_id": ended.resource_ids[0], "count": count})
        return unit_id

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        """Queue events for delivery, in this transaction; return the delivery unit to wake.

        A run that ends before it began has no such unit yet.
        """
        with driver_cursor(self._connection) as cursor:
            unit_id = checkpoint.insert_events(cursor, self._run_id, events)
        return unit_id or (add_delivery_unit(self._connection, self._run_id) if events else None)

    def announce(self, events: Sequence[EventDraft]) -> None:
        """Queue events for webhooks that are not the run's, in this transaction."""
        insert_announcements(self._connection, events)
