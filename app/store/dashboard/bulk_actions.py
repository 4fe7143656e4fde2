"""Bulk actions in Postgres: which runs each is for, and what became of them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, exists, func, insert, literal, select, text, tuple_

from app.engine.ids import new_id
from app.engine.objects.bulk_actions import BulkAction, BulkKind, BulkOutcome, BulkStatus, BulkTarget
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import FINAL_RUN_STATUSES, LIVE_RUN_STATUSES, RunStatus
from app.services.dashboard.run_filters import RunFilters, read_filters, write_filters
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.dashboard.run_search import Matching
from app.store.db import owned_rows
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.tables.base import uuid_type
from app.store.tables.statuses import any_of

_TABLE, _TARGET, _RUN = tables.bulk_action, tables.bulk_action_run, tables.sync_job_run.c
_RESOURCE = tables.run_resource.c
_RESUMABLE: Final = (RunStatus.FAILED, RunStatus.STOPPED)

_PLAN_EACH: Final = text("set local plan_cache_mode = force_custom_plan")
_LOCK: Final = text(f"""
    select * from bulk_action where id = :id and status = '{BulkStatus.COUNTING}' for update skip locked
""")
_COUNT: Final = text("""
    update bulk_action
       set counted = counted + :count, status = :status, place_at = coalesce(:at, place_at), last_error = null,
           place_id = coalesce(cast(:run_id as uuid), place_id), updated_at = clock_timestamp()
     where id = :id
""")
_CONFIRM: Final = text(f"""
    update bulk_action
       set status = '{BulkStatus.ACTING}', confirmed_at = now(), updated_at = now()
     where id = :id and environment_id = :environment_id and status = '{BulkStatus.COUNTED}'
""")
_CANCEL: Final = text(f"""
    update bulk_action
       set status = '{BulkStatus.CANCELLED}', finished_at = now(), updated_at = now()
     where id = :id and environment_id = :environment_id and finished_at is null
""")
# Who has waited longest goes first, so that a large one keeps no small one waiting.
_OPEN: Final = text(f"""
    select * from bulk_action
     where status in {any_of((BulkStatus.COUNTING, BulkStatus.ACTING))} and finished_at is null
           and id <> all(cast(:skipped as uuid[]))
     order by updated_at, id limit :limit
""")
_PENDING: Final = text(f"""
    select run_id, resumes from bulk_action_run
     where bulk_action_id = :id and outcome = '{BulkOutcome.PENDING}' order by run_id limit :limit
""")
_RECORD: Final = text(f"""
    with tried as (
        update bulk_action_run target set outcome = found.outcome, reason = found.reason
          from unnest(cast(:run_ids as uuid[]), cast(:outcomes as text[]), cast(:reasons as text[]))
               found (run_id, outcome, reason)
         where target.bulk_action_id = :id and target.run_id = found.run_id
               and target.outcome = '{BulkOutcome.PENDING}'
     returning found.outcome)
    update bulk_action
       set done = done + (select count(*) from tried where outcome = '{BulkOutcome.DONE}'),
           skipped = skipped + (select count(*) from tried where outcome = '{BulkOutcome.SKIPPED}'),
           failed = failed + (select count(*) from tried where outcome = '{BulkOutcome.FAILED}'),
           updated_at = clock_timestamp(), last_error = null
     where id = :id
""")
_FINISH: Final = text(f"""
    update bulk_action set status = '{BulkStatus.FINISHED}', finished_at = now(), updated_at = now()
     where id = :id and status = '{BulkStatus.ACTING}'
           and not exists (select from bulk_action_run
                            where bulk_action_id = :id and outcome = '{BulkOutcome.PENDING}')
""")
_NOTE: Final = text("update bulk_action set last_error = :error, updated_at = clock_timestamp() where id = :id")
# One that was not confirmed ends here: it is removed bit by bit, and must not begin with what is left of it.
_OUTDATED: Final = text(f"""
    with outdated as (
        select id from bulk_action
         where finished_at < now() - make_interval(secs => :kept)
               or confirmed_at is null and created_at < now() - make_interval(secs => :unconfirmed)
         order by created_at limit 10 for update skip locked)
    update bulk_action
       set status = case when finished_at is null then '{BulkStatus.CANCELLED}' else status end,
           finished_at = coalesce(finished_at, now())
      from outdated where outdated.id = bulk_action.id returning bulk_action.id
""")
_PRUNE_RUNS: Final = text("""
    delete from bulk_action_run where (bulk_action_id, run_id) in (
        select bulk_action_id, run_id from bulk_action_run
         where bulk_action_id = any(cast(:ids as uuid[])) limit :limit)
""")
_PRUNE: Final = text("""
    delete from bulk_action where id = any(cast(:ids as uuid[]))
           and not exists (select from bulk_action_run where bulk_action_id = bulk_action.id)
""")


@retry_conflicts
class BulkActionStore:
    """The bulk actions of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, environment_id: EnvironmentId, kind: BulkKind, filters: RunFilters) -> str:
        """Write an action that is to be counted; return its id."""
        id = new_id()
        values = {"id": id, "environment_id": environment_id, "kind": kind, "filters": write_filters(filters)}
        with self._engine.begin() as connection:
            connection.execute(insert(_TABLE).values(values))
        return id

    def get(self, environment_id: EnvironmentId, id: str) -> BulkAction | None:
        """Read one action."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, id)
        return _action(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[BulkAction]:
        """Read a page of actions."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _action, filters)

    def list_tried(
        self, environment_id: EnvironmentId, id: str, outcome: BulkOutcome, *, limit: int
    ) -> Sequence[BulkTarget]:
        """List some of the runs that an action ended so for."""
        owned = exists().where(_TABLE.c.id == id, _TABLE.c.environment_id == environment_id)
        statement = select(_TARGET).where(_TARGET.c.bulk_action_id == id, _TARGET.c.outcome == outcome.value, owned)
        with reading(self._engine) as connection:
            rows = connection.execute(statement.order_by(_TARGET.c.run_id).limit(limit)).mappings().all()
        return [build_object(BulkTarget, row, outcome=BulkOutcome(row["outcome"])) for row in rows]

    def count_some(self, id: str, *, limit: int) -> bool:
        """Write down at most so many more of the runs that an action is for; return whether there may be more."""
        with self._engine.begin() as connection:
            row = connection.execute(_LOCK, {"id": id}).mappings().one_or_none()
            if row is None:
                return False
            connection.execute(_PLAN_EACH)
            last = connection.execute(_write_next(connection, row, limit)).one_or_none()
            # Runs that were deleted meanwhile make a batch smaller: only an empty one is the last.
            status = BulkStatus.COUNTED if last is None else BulkStatus.COUNTING
            at, run_id, count = (None, None, 0) if last is None else last
            connection.execute(_COUNT, {"id": id, "count": count, "status": status, "at": at, "run_id": run_id})
        return last is not None

    def confirm(self, environment_id: EnvironmentId, id: str) -> bool:
        """Let a counted action begin; return whether it was one."""
        with self._engine.begin() as connection:
            return connection.execute(_CONFIRM, {"id": id, "environment_id": environment_id}).rowcount == 1

    def cancel(self, environment_id: EnvironmentId, id: str) -> bool:
        """End an action that is not over; return whether it was one."""
        with self._engine.begin() as connection:
            return connection.execute(_CANCEL, {"id": id, "environment_id": environment_id}).rowcount == 1

    def find_open(self, *, skipped: Sequence[str], limit: int) -> Sequence[BulkAction]:
        """List actions with something to do, but for those to be skipped."""
        with reading(self._engine) as connection:
            rows = connection.execute(_OPEN, {"skipped": list(skipped), "limit": limit}).mappings().all()
        return [_action(row) for row in rows]

    def find_pending(self, id: str, *, limit: int) -> Sequence[BulkTarget]:
        """List runs of an action whose turn has not come."""
        with reading(self._engine) as connection:
            rows = connection.execute(_PENDING, {"id": id, "limit": limit}).mappings().all()
        return [build_object(BulkTarget, row) for row in rows]

    def record(self, id: str, tried: Sequence[BulkTarget]) -> None:
        """Record what became of runs, each once, and the action's end where none is left."""
        values = {
            "run_ids": [target.run_id for target in tried],
            "outcomes": [target.outcome.value for target in tried],
            "reasons": [target.reason for target in tried],
        }
        with self._engine.begin() as connection:
            connection.execute(_RECORD, {"id": id, **values})
            connection.execute(_FINISH, {"id": id})

    def record_error(self, id: str, error: str) -> None:
        """Record why an action does not go on."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE, {"id": id, "error": error})

    def prune(self, *, kept_seconds: float, unconfirmed_seconds: float, limit: int) -> int:
        """Remove some of what ended, or was not confirmed, so long ago; return how many rows of it."""
        with self._engine.begin() as connection:
            values = {"kept": kept_seconds, "unconfirmed": unconfirmed_seconds}
            ids = [str(id) for id in connection.execute(_OUTDATED, values).scalars()]
            removed = connection.execute(_PRUNE_RUNS, {"ids": ids, "limit": limit}).rowcount if ids else 0
            return removed + (connection.execute(_PRUNE, {"ids": ids}).rowcount if ids else 0)


def _write_next(connection: Connection, row: Row, limit: int) -> Select[Any]:
    """Write down more runs of an action; select the place of the last of them, and their number."""
    found = _select_next(connection, row).limit(limit).with_for_update(read=True, key_share=True).cte("found")
    targets = select(literal(str(row["id"]), uuid_type), found.c.id, found.c.resumes)
    written = insert(_TARGET).from_select(["bulk_action_id", "run_id", "resumes"], targets).cte("written")
    count = select(func.count()).select_from(found).scalar_subquery()
    last = select(found.c.created_at, found.c.id, count).order_by(found.c.created_at.desc(), found.c.id.desc())
    return last.limit(1).add_cte(written)


def _select_next(connection: Connection, row: Row) -> Select[Any]:
    """Select the runs that an action is for, on from the last one that was written down."""
    matching = Matching.of(connection, EnvironmentId(str(row["environment_id"])), read_filters(row["filters"]))
    statement = matching.select(_RUN.id, _RUN.created_at, _RUN.resumes)
    statement = statement.where(_RUN.created_at <= row["created_at"], _is_meant(BulkKind(row["kind"])))
    if row["place_id"] is not None:
        statement = statement.where(tuple_(_RUN.created_at, _RUN.id) > (row["place_at"], row["place_id"]))
    return statement.order_by(_RUN.created_at, _RUN.id)


def _is_meant(kind: BulkKind) -> ColumnElement[bool]:
    """Return the condition that there is something to do for a run."""
    match kind:
        case BulkKind.STOP:
            return _RUN.status.in_(LIVE_RUN_STATUSES)
        case BulkKind.RESUME:
            return _RUN.status.in_(_RESUMABLE)
        case BulkKind.RETRY_ERRORS:
            failed = exists().where(_RESOURCE.run_id == _RUN.id, _RESOURCE.errors > _RESOURCE.retried)
            return _RUN.status.in_(FINAL_RUN_STATUSES) & failed


def _action(row: Row) -> BulkAction:
    return build_object(BulkAction, row, kind=BulkKind(row["kind"]), status=BulkStatus(row["status"]))
