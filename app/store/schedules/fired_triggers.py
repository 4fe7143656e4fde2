"""Due times of many triggers at once: begun in one statement, taken away with their runs in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow
from sqlalchemy import text

from app.engine.ids import new_id
from app.engine.objects.triggers import BEGUN, DueTrigger
from app.engine.records.rows import encode
from app.engine.times import format_utc
from app.services.schedules.ports import ReadyOccurrence
from app.store.db.autocommit import Autocommit, sql_of, transaction
from app.store.runs.creation import insert_runs

_FOUND: Final = """
    unnest(cast(:ids as uuid[]), cast(:stands_at as timestamptz[]), cast(:updated_at as timestamptz[]),
           cast(:next_run_at as timestamptz[]), cast(:last_runs as jsonb[]))
        found (id, stands_at, updated_at, next_run_at, last_run)
"""
_STILL_DUE: Final = """
    t.id = found.id and t.next_run_at = found.stands_at and t.updated_at = found.updated_at
"""

_BEGIN: Final = text(f"""
    update sync_job_cron_trigger t
       set next_run_at = now() + interval '1 minute', last_run = found.last_run
      from {_FOUND} where {_STILL_DUE}
 returning t.id, t.next_run_at
""")

_TAKE: Final = text(f"""
    with taken as (
        update sync_job_cron_trigger t
           set next_run_at = found.next_run_at, enabled = true, last_run = found.last_run
          from {_FOUND} where {_STILL_DUE}
     returning t.id, t.environment_id, t.last_run)
    insert into cron_trigger_fire (id, environment_id, sync_job_cron_trigger_id, due_at, sync_job_run_id)
    select fire.id, taken.environment_id, taken.id, fire.due_at, cast(taken.last_run ->> 'sync_job_run_id' as uuid)
      from taken
      join unnest(cast(:ids as uuid[]), cast(:fire_ids as uuid[]), cast(:due_at as timestamptz[]))
           fire (trigger_id, id, due_at) on fire.trigger_id = taken.id
""")


class _NotDueAnyMoreError(Exception):
    """Another transaction has fired a due time, or changed its trigger."""


def begin(autocommit: Autocommit, found: Sequence[DueTrigger]) -> Mapping[str, Any]:
    """Postpone due times by a minute; return the present time of each, by trigger, of those that were still due."""
    values = _values(found, next_run_at=[None] * len(found), outcomes=[(None, BEGUN)] * len(found))
    return {str(row["id"]): row["next_run_at"] for row in autocommit.all(_BEGIN, values)}


def fire(autocommit: Autocommit, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
    """Write the runs whose drafts' suppositions hold, and remove their due times; return their messages by trigger.

    None, and nothing is written, when one of them was not due any more.
    """

    def write(connection: psycopg.Connection[DictRow]) -> Mapping[str, int]:
        with transaction(connection):
            messages = insert_runs(connection, [one.draft for one in ready])
            written = [one for one in ready if one.draft.id in messages]
            if connection.execute(sql_of(_TAKE), _values_of_ready(written)).rowcount != len(written):
                raise _NotDueAnyMoreError
            return {one.due.trigger.id: messages[one.draft.id] for one in written}

    try:
        return autocommit.lend(write)
    except _NotDueAnyMoreError:
        return None


def _values_of_ready(written: Sequence[ReadyOccurrence]) -> Mapping[str, Any]:
    values = _values(
        [one.due for one in written],
        next_run_at=[one.next_run_at for one in written],
        outcomes=[(one.draft.id, None) for one in written],
    )
    return {**values, "fire_ids": [new_id() for _ in written], "due_at": [one.due.due_at for one in written]}


def _values(
    found: Sequence[DueTrigger],
    *,
    next_run_at: Sequence[Any],
    outcomes: Sequence[tuple[str | None, str | None]],
) -> dict[str, Any]:
    return {
        "ids": [due.trigger.id for due in found],
        "stands_at": [due.stands_at for due in found],
        "updated_at": [due.trigger.updated_at for due in found],
        "next_run_at": list(next_run_at),
        "last_runs": [_last_run(due, *outcome) for due, outcome in zip(found, outcomes, strict=True)],
    }


def last_run(due: DueTrigger, run_id: str | None, error: str | None) -> dict[str, str | None]:
    """Return what became of a due time, as its trigger shows it."""
    return {
        "due_at": format_utc(due.due_at),
        "fired_at": format_utc(due.now),
        "sync_job_run_id": run_id,
        "error": error,
    }


def _last_run(due: DueTrigger, run_id: str | None, error: str | None) -> str:
    return encode(last_run(due, run_id, error)).decode()
