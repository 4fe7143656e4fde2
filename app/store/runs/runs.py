"""Runs in Postgres: written whole with their resources and their promised message, read with their stats."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, DateTime, Engine, bindparam, delete, select, text

from app.engine.errors import IdempotencyKeyReusedError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs.increments import LowerBounds
from app.engine.status import (
    BEGUN_RUN_STATUSES,
    FINAL_RUN_STATUSES,
    OPEN_UNIT_STATUSES,
    DaemonStatus,
    RunStatus,
)
from app.engine.webhooks import events
from app.services.maintenance.ports import LostBefore
from app.services.ports import Announcement
from app.services.runs.conflicts import retry_conflicts
from app.services.runs.requests import CreatedRun, IdempotencyKey, RunDraft
from app.store import tables
from app.store.announcements import announcements
from app.store.db import paging
from app.store.db.autocommit import autocommit_of
from app.store.db.database import reading
from app.store.db.row_versions import demand, unchanged
from app.store.records import webhook_records
from app.store.runs import mutexes
from app.store.runs.creation import insert_run, insert_run_as_supposed, insert_run_within, read_lower_bounds
from app.store.runs.landing import LANDED_RUNS
from app.store.runs.rows import SELECT_RUN, error_of, find_run, read_run, run_of, stats_of
from app.store.runs.starts import keep_start
from app.store.runs.stuck import STUCK_RUNS
from app.store.tables.statuses import any_of
from app.store.units import dispatching

# A second request with the same key waits here for the first one's commit, and then finds its run.
_CLAIM_KEY = text("""
    insert into idempotency_key (environment_id, key, body_hash, run_id)
    values (:environment_id, :key, :body_hash, :run_id)
        on conflict (environment_id, key) do update
       set body_hash = excluded.body_hash, run_id = excluded.run_id, created_at = now()
     where idempotency_key.created_at < now() - interval '24 hours'
 returning run_id
""")

_FIND_KEY = text("select run_id, body_hash from idempotency_key where environment_id = :environment_id and key = :key")

# Both clocks are read at about the same moment. A date that is off by more than a day is a fault, not a clock.
_FREEZE_UPPER_BOUND = text("""
    update sync_job_run
       set upper_bound = started_at + case
               when abs(extract(epoch from :server_date - clock_timestamp())) < 86400
               then :server_date - clock_timestamp() else interval '0' end
     where id = :run_id and upper_bound is null
""").bindparams(bindparam("server_date", type_=DateTime(timezone=True)))

# A running one that has not begun was lost between its move to running and its first units.
_NOBODY_CAME = f"""
           r.status in {any_of((RunStatus.CREATED, RunStatus.RUNNING))}
           and r.rung_at < now() - make_interval(secs => :ring_after)
           and (r.daemon_group_key is null
                or exists (select from daemon d where d.group_key = r.daemon_group_key
                           and d.status = '{DaemonStatus.ACTIVE}'))
           and (r.status = '{RunStatus.CREATED}' or r.begun_at is null)
           and not {mutexes.waits("r")}
"""
DUE_RUNS = f"select r.id from sync_job_run r where {_NOBODY_CAME}"
"""Runs that nobody came for, though somebody could."""

UNSETTLED_RUNS = f"""
    select r.id from sync_job_run r
     where r.status in {any_of(BEGUN_RUN_STATUSES)} and r.updated_at < now() - interval '2 seconds'
           and r.begun_at is not null and r.landing_since is null
           and not exists (select from unit u where u.run_id = r.id and u.status in {any_of(OPEN_UNIT_STATUSES)})
"""
"""Runs that have no work left, and that nobody has ended."""

_DUE_QUEUES = text(f"select distinct r.queue from sync_job_run r where {_NOBODY_CAME}")

_DUE = text(f"""
    with {dispatching.LOST},
         due as (
        select r.id from sync_job_run r join lost on lost.queue = r.queue
         where {_NOBODY_CAME} and {dispatching.is_lost("r.rung_at", "r.updated_at")}
         order by r.rung_at limit :limit for update of r skip locked)
    update sync_job_run set rung_at = now() from due where sync_job_run.id = due.id
 returning sync_job_run.id, sync_job_run.queue
""")

_UNSETTLED = text(f"{UNSETTLED_RUNS} and r.id <> all(cast(:skipped as uuid[])) limit :limit")

_LANDED = text(f"{LANDED_RUNS} and r.id <> all(cast(:skipped as uuid[])) limit :limit")

_STUCK = text(f"{STUCK_RUNS} and r.id <> all(cast(:skipped as uuid[])) limit :limit")


_REDISPATCH = text("update sync_job_run set rung_at = now() - interval '1 hour' where id = any(cast(:ids as uuid[]))")


@retry_conflicts
class RunStore:
    """The runs of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = autocommit_of(engine)

    def create(self, draft: RunDraft) -> CreatedRun:
        """Write the run, its resources, its idempotency key and its outbox message in one transaction."""
        if draft.idempotency is None:
            return insert_run(self._autocommit, draft)
        with self._engine.begin() as connection:
            replayed = _find_replayed(connection, draft, draft.idempotency)
            if replayed is not None:
                return CreatedRun(run=self._one(connection, replayed), outbox_id=None)
            return insert_run_within(connection, draft)

    def create_as_supposed(self, draft: RunDraft) -> CreatedRun | None:
        """Write the run as ``create`` does, if its job is the one that the draft supposes, and its account fits."""
        return insert_run_as_supposed(self._autocommit, draft)

    def load(self, run_id: str) -> SyncJobRun | None:
        """Read a run of any environment, without its stats."""
        return read_run(self._autocommit, run_id, with_stats=False)

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun | None:
        """Read a run of this environment."""
        run = read_run(self._autocommit, run_id, with_stats=True)
        return run if run and run.environment_id == environment_id else None

    def read_lower_bounds(self, draft: RunDraft) -> LowerBounds:
        """Return the lower bounds that an increment would have if the run were created now."""
        with reading(self._engine) as connection:
            return read_lower_bounds(connection, draft)

    def freeze_upper_bound(self, run_id: str, server_date: datetime) -> None:
        """Translate the run's start into the upstream's clock, which shows ``server_date`` now; only the first counts.

        What the upstream changes later is left to the next run, whatever part of it this one may have seen.
        """
        self._autocommit.count(_FREEZE_UPPER_BOUND, {"run_id": run_id, "server_date": server_date})

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJobRun]:
        """Read a page of runs, newest first."""
        table = tables.sync_job_run
        statement = paging.narrow(SELECT_RUN.where(table.c.environment_id == environment_id), table, filters)
        with reading(self._engine) as connection:
            page = paging.read_page(
                connection,
                statement,
                table,
                lambda row: row,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
            )
            stats = stats_of(connection, [str(row["id"]) for row in page.result])
        runs = [run_of(row, stats.get(str(row["id"]), {})) for row in page.result]
        return Page(result=runs, next_cursor=page.next_cursor, limit=filters.limit)

    def list_errors(self, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors, oldest first."""
        table = tables.run_error
        statement = select(table).where(table.c.run_id == run_id)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection, statement, table, error_of, limit=limit, cursor=cursor, sort="created_at"
            )

    def find_due_queues(self, *, ring_after_seconds: float) -> Sequence[str]:
        """List the queues of runs that no daemon has taken up although their groups have one."""
        with reading(self._engine) as connection:
            return list(connection.execute(_DUE_QUEUES, {"ring_after": ring_after_seconds}).scalars())

    def dispatch_due(
        self, lost: Mapping[str, LostBefore], *, ring_after_seconds: float, limit: int
    ) -> Sequence[tuple[str, str]]:
        """Mark and list ``(run id, queue)`` of runs whose message is lost."""
        values = dispatching.values_of(lost, ring_after_seconds=ring_after_seconds)
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE, {**values, "limit": limit}).all()
        return [(str(run_id), queue) for run_id, queue in rows]

    def redispatch(self, run_ids: Sequence[str]) -> None:
        """Mark runs as not dispatched: the broker did not take the message."""
        with self._engine.begin() as connection:
            connection.execute(_REDISPATCH, {"ids": list(run_ids)})

    def find_unsettled(self, *, limit: int, skipped: Sequence[str] = ()) -> Sequence[str]:
        """List started runs without work left that are not settled, but for those to be skipped."""
        values = {"limit": limit, "skipped": list(skipped)}
        with reading(self._engine) as connection:
            return [str(run_id) for run_id in connection.execute(_UNSETTLED, values).scalars()]

    def find_landed(self, *, limit_seconds: float, limit: int, skipped: Sequence[str] = ()) -> Sequence[str]:
        """List runs that need not wait for their destinations any more, or have for so long."""
        values = {"limit_seconds": limit_seconds, "limit": limit, "skipped": list(skipped)}
        with reading(self._engine) as connection:
            return [str(id) for id in connection.execute(_LANDED, values).scalars()]

    def find_stuck(self, *, seconds: float, limit: int, skipped: Sequence[str] = ()) -> Sequence[str]:
        """List live runs that no daemon could work on for so long, but for those to be skipped."""
        values = {"stuck_after": seconds, "limit": limit, "skipped": list(skipped)}
        with reading(self._engine) as connection:
            return [str(id) for id in connection.execute(_STUCK, values).scalars()]

    def delete(
        self, environment_id: EnvironmentId, run_id: str, *, announce: Announcement, seen: RowVersion | None = None
    ) -> bool:
        """Remove a final run with its events and errors, never its records, and announce it."""
        table = tables.sync_job_run
        statement = delete(table).where(
            table.c.id == run_id,
            table.c.environment_id == environment_id,
            table.c.status.in_(FINAL_RUN_STATUSES),
            unchanged(table, seen),
        )
        with self._engine.begin() as connection:
            webhook_records.withdraw_waiting(connection, run_id)
            keep_start(connection, run_id)
            is_done = connection.execute(statement).rowcount == 1
            demand(is_done, seen)
            if is_done:
                announcements.announce(connection, environment_id, events.DELETED, announce)
        return is_done

    def _one(self, connection: Connection, run_id: str) -> SyncJobRun:
        run = find_run(connection, run_id)
        if run is None:
            raise IdempotencyKeyReusedError("The run that this Idempotency-Key made was deleted; use a new key.")
        return run


def _find_replayed(connection: Connection, draft: RunDraft, idempotency: IdempotencyKey) -> str | None:
    """Claim the draft's idempotency key; return the earlier run's id when the key was used before."""
    body_hash = idempotency.body_hash
    key = {"environment_id": draft.environment_id, "key": idempotency.key}
    claimed = connection.execute(_CLAIM_KEY, {**key, "body_hash": body_hash, "run_id": draft.id})
    if claimed.first() is not None:
        return None
    run_id, first_hash = connection.execute(_FIND_KEY, key).one()
    if bytes(first_hash) != body_hash:
        raise IdempotencyKeyReusedError
    return str(run_id)
