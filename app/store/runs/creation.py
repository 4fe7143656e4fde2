"""Write a run whole: its row, its resources, who started it and its promised message, in one statement, so one trip."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import DictRow
from sqlalchemy import Connection, TextClause, text

from app import actors
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.records.rows import encode
from app.engine.runs.increments import LowerBounds, find_last_descendants
from app.engine.status import AccountStatus
from app.services.runs.requests import CreatedRun, RunDraft
from app.store.db.autocommit import Autocommit, sql_of
from app.store.db.database import Row
from app.store.runs import increments, starts
from app.store.runs.mutexes import waiting_on
from app.store.runs.outbox import START_RUN_TASK

_CASTS: Final = {
    "id": "uuid",
    "environment_id": "uuid",
    "sync_job_id": "uuid",
    "integrated_account_id": "uuid",
    "webhook_id": "uuid",
    "daemon_group_key": "text",
    "mutex_key": "text",
    "args": "jsonb",
    "resources": "jsonb",
    "sync_job": "jsonb",
    "state_key": "text",
    "events_to_send": "text[]",
}
_COLUMNS: Final = (
    *("id", "environment_id", "sync_job_id", "integrated_account_id", "args", "args_hash", "resources", "sync_job"),
    *("daemon_group_key", "webhook_id", "queue", "error_handling", "ignore_previous_run", "version"),
    *("overlap_seconds", "mutex_key", "force", "state_key", "events_to_send", "changes_only"),
    "wait_for_destinations",
)
_VALUES: Final = ", ".join(f"cast(:{name} as {_CASTS[name]})" if name in _CASTS else f":{name}" for name in _COLUMNS)

# The row's xmin is another one after each change of it.
_AS_SUPPOSED: Final = f"""
    exists (select from sync_job
             where id = cast(:sync_job_id as uuid) and environment_id = cast(:environment_id as uuid)
                   and xmin = cast(:job_version as xid))
    and exists (select from integrated_account a join integration i on i.id = a.integration_id
                 where a.id = cast(:integrated_account_id as uuid) and a.environment_id = cast(:environment_id as uuid)
                       and i.name = :integration_name and a.status <> '{AccountStatus.INACTIVE}')
"""


def _create(*, where: str) -> TextClause:
    return text(f"""
        with {increments.LOWER_BOUNDS},
        run as (
            insert into sync_job_run ({", ".join(_COLUMNS)}, previous_run_date)
            select {_VALUES}, (select earliest from spread)
             where {where}
            returning id, sync_job_id, mutex_key, status, force, created_at, previous_run_date),
        resources as (
            insert into run_resource
                   (id, run_id, position, name, resource, method, parent_name, persist, delete_tracking,
                    previous_run_date)
            select item.id, run.id, position, name, resource, method, parent_name, persist, delete_tracking, lower_bound
              from run, item),
        start as ({starts.INSERT}),
        message as (
            insert into outbox (task, args, queue) select :task, jsonb_build_array(run.id), :queue from run
            returning id)
        select run.created_at, run.previous_run_date, spread.is_mixed, cast({waiting_on("run")} as text) as waiting_on,
               message.id as outbox_id
          from run, message, spread
    """)


_BOUNDS: Final = text(f"with {increments.LOWER_BOUNDS} select name, lower_bound, earliest from item, spread")

_CREATE: Final = _create(where="true")
_CREATE_AS_SUPPOSED: Final = _create(where=_AS_SUPPOSED)


def insert_run(autocommit: Autocommit, draft: RunDraft) -> CreatedRun:
    """Write the run by itself."""
    row = autocommit.one(_CREATE, _values(draft))
    assert row is not None
    return _build_created(draft, row, lambda: increments.read_own(autocommit, draft.id))


def insert_run_as_supposed(autocommit: Autocommit, draft: RunDraft) -> CreatedRun | None:
    """Write the run by itself if what its draft supposes holds at that moment; None when it does not."""
    assert draft.supposes is not None
    row = autocommit.one(_CREATE_AS_SUPPOSED, _supposed_values(draft))
    return _build_created(draft, row, lambda: increments.read_own(autocommit, draft.id)) if row is not None else None


def insert_run_within(connection: Connection, draft: RunDraft) -> CreatedRun:
    """Write the run within the caller's transaction."""
    row = connection.execute(_CREATE, _values(draft)).mappings().one()
    return _build_created(draft, row, lambda: increments.read_own_within(connection, draft.id))


def insert_runs(connection: psycopg.Connection[DictRow], drafts: Sequence[RunDraft]) -> Mapping[str, int]:
    """Write runs within the caller's transaction; return the outbox messages of those that are as supposed, by run."""
    written: dict[str, int] = {}
    for statement, some in (
        (_CREATE, [draft for draft in drafts if draft.supposes is None]),
        (_CREATE_AS_SUPPOSED, [draft for draft in drafts if draft.supposes is not None]),
    ):
        if some:
            with connection.cursor() as cursor:
                cursor.executemany(sql_of(statement), [_supposed_values(draft) for draft in some], returning=True)
                for draft, result in zip(some, cursor.results(), strict=True):
                    if (row := result.fetchone()) is not None:
                        written[draft.id] = row["outbox_id"]
    return written


def _build_created(draft: RunDraft, row: Row, read_own: Callable[[], Mapping[str, datetime | None]]) -> CreatedRun:
    """Put the run together from its draft and what Postgres adds: to read all back costs more than to write it."""
    bounds = LowerBounds.combine(row["previous_run_date"], read_own() if row["is_mixed"] else {})
    run = draft.to_run(at=row["created_at"], bounds=bounds, waiting_on=row["waiting_on"])
    return CreatedRun(run=run, outbox_id=row["outbox_id"], queue=draft.queue)


def _supposed_values(draft: RunDraft) -> JsonObject:
    known = draft.supposes
    supposed = {} if known is None else {"job_version": known.version, "integration_name": known.job.integration_name}
    return {**_values(draft), **supposed}


def _values(draft: RunDraft) -> JsonObject:
    request = draft.request
    return {
        "id": draft.id,
        "environment_id": draft.environment_id,
        "sync_job_id": request.sync_job_id,
        "integrated_account_id": request.integrated_account_id,
        "args": _json(draft.args),
        "args_hash": draft.args_hash,
        "resources": _json(list(draft.resources)),
        "sync_job": _json(draft.sync_job),
        "daemon_group_key": draft.group_key,
        "webhook_id": request.webhook_id,
        "queue": draft.queue,
        "error_handling": request.error_handling,
        "ignore_previous_run": request.ignore_previous_run,
        "version": draft.version,
        "overlap_seconds": draft.overlap_seconds,
        "mutex_key": draft.mutex_key,
        "force": request.force,
        "state_key": draft.state_key,
        "events_to_send": request.events_to_send,
        "changes_only": draft.changes_only,
        "wait_for_destinations": draft.wait_for_destinations,
        "items": _json(_items(draft)),
        "actor": actor.to_json() if (actor := actors.current()) else None,
        "task": START_RUN_TASK,
    }


def read_lower_bounds(connection: Connection, draft: RunDraft) -> LowerBounds:
    """Return the lower bounds that an increment would have if the run were created now."""
    rows = connection.execute(_BOUNDS, _values(draft)).all()
    return LowerBounds.combine(rows[0].earliest, {row.name: row.lower_bound for row in rows})


def _items(draft: RunDraft) -> list[JSON]:
    below = find_last_descendants(draft.items)
    return [
        {
            "id": new_id(),
            "position": position,
            "last_below": below[position],
            "name": item.name,
            "resource": item.resource,
            "method": item.method,
            "parent_name": item.depends_on,
            "persist": item.persist,
            "delete_tracking": item.delete_tracking,
        }
        for position, item in enumerate(draft.items)
    ]


def _json(value: JSON) -> str:
    return encode(value).decode()
