"""Cron triggers in Postgres; a due time and the run that it makes are one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, insert, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.triggers import BEGUN, CronTrigger, DueTrigger, TriggerOccurrence, read_begun_time
from app.engine.webhooks.events import TRIGGER_FAILED
from app.services.ports import Announcement
from app.services.runs.conflicts import repeats_conflicts
from app.services.runs.requests import RunDraft
from app.services.schedules.ports import ReadyOccurrence
from app.store import tables
from app.store.announcements import announcements
from app.store.db import owned_rows
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.owned_rows import OwnedStore, build_object
from app.store.runs.creation import insert_run_within
from app.store.schedules import fired_triggers

_TABLE = tables.sync_job_cron_trigger

DUE_TRIGGERS: Final = "select from sync_job_cron_trigger where next_run_at <= now()"
"""Triggers whose time has come."""

_DUE = text("""
    select *, now() as now from sync_job_cron_trigger where next_run_at <= now()
       and id <> all(cast(:skipped as uuid[]))
     order by next_run_at limit :limit
""")

_BEGIN = text("""
    update sync_job_cron_trigger
       set next_run_at = coalesce(cast(:until as timestamptz), now() + interval '1 minute'), last_run = :last_run
     where id = :id and next_run_at = :stands_at and updated_at = :updated_at
 returning next_run_at
""").bindparams(bindparam("last_run", type_=JSONB))

# Whoever else fired it, or changed it since it was read, has left another time or another version of it here.
_TAKE = text("""
    update sync_job_cron_trigger
       set next_run_at = :next_run_at, enabled = cast(:next_run_at as timestamptz) is not null, last_run = :last_run
     where id = :id and next_run_at = :stands_at and updated_at = :updated_at
 returning id
""").bindparams(bindparam("last_run", type_=JSONB))


@repeats_conflicts
class TriggerStore(OwnedStore[CronTrigger]):
    """The cron triggers of all environments; the runs of one that is removed stay."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, _TABLE, _trigger)

    def fires(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[TriggerOccurrence]:
        """Read a page of what became of due times."""
        return owned_rows.list_rows(self._engine, tables.cron_trigger_fire, environment_id, _fire, filters)

    def due(self, *, limit: int, skipped: Sequence[str] = ()) -> Sequence[DueTrigger]:
        """List triggers whose time has come but for those to be skipped, the longest due first."""
        with reading(self._engine) as connection:
            rows = connection.execute(_DUE, {"limit": limit, "skipped": list(skipped)}).mappings().all()
        return [_due(row) for row in rows]

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        """Put a due time off before anything of it is looked at; None when it was not due any more."""
        outcome = fired_triggers.last_run(due, None, BEGUN)
        values = {"id": due.trigger.id, "stands_at": due.stands_at, "updated_at": due.trigger.updated_at}
        with self._engine.begin() as connection:
            row = connection.execute(_BEGIN, {**values, "until": until, "last_run": outcome}).first()
        return None if row is None else replace(due, stands_at=row.next_run_at)

    def begin_all(self, found: Sequence[DueTrigger]) -> Sequence[DueTrigger]:
        """Put due times off for a minute; list those that were still due."""
        begun = fired_triggers.begin(autocommit_of(self._engine), found)
        return [replace(due, stands_at=begun[due.trigger.id]) for due in found if due.trigger.id in begun]

    def run_due(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
        """Write the runs of which all is as their drafts suppose, in one transaction; return their messages by trigger.

        None, and nothing is written, when one of them was not due any more.
        """
        return fired_triggers.fire(autocommit_of(self._engine), ready)

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        """Write the run and the next due time at once; None when it was not due any more."""
        with self._engine.begin() as connection:
            if not _take(connection, due, next_run_at=next_run_at, run_id=draft.id, error=None):
                return None
            return insert_run_within(connection, draft).outbox_id

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        """Record that a due time made no run, the next one, and events that report it."""
        with self._engine.begin() as connection:
            if _take(connection, due, next_run_at=next_run_at, run_id=None, error=error):
                announcements.announce(connection, due.trigger.environment_id, TRIGGER_FAILED, announce)


def _take(
    connection: Connection, due: DueTrigger, *, next_run_at: datetime | None, run_id: str | None, error: str | None
) -> bool:
    """Take a due time away and write down what it made; False when it is not there any more."""
    trigger = due.trigger
    values = {
        "id": trigger.id,
        "stands_at": due.stands_at,
        "updated_at": trigger.updated_at,
        "next_run_at": next_run_at,
        "last_run": fired_triggers.last_run(due, run_id, error),
    }
    if connection.execute(_TAKE, values).first() is None:
        return False
    fire = {"id": new_id(), "environment_id": trigger.environment_id, "sync_job_cron_trigger_id": trigger.id}
    outcome = {"due_at": due.due_at, "sync_job_run_id": run_id, "error": error}
    connection.execute(insert(tables.cron_trigger_fire).values(**fire, **outcome))
    return True


def _due(row: Row) -> DueTrigger:
    trigger = _trigger(row)
    begun_at = read_begun_time(trigger.last_run)
    return DueTrigger(
        trigger=trigger, due_at=begun_at or row["next_run_at"], stands_at=row["next_run_at"], now=row["now"]
    )


def _fire(row: Row) -> TriggerOccurrence:
    return build_object(TriggerOccurrence, row)


def _trigger(row: Row) -> CronTrigger:
    return build_object(CronTrigger, row)
