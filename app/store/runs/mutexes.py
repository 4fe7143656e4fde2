"""Runs of one job with one mutex key, one at a time and in the order of their creation.

The holder of a mutex is derived from the runs' own rows, so nothing is left behind however a run ends.
"""

from sqlalchemy import Connection, text

from app.engine.status import LIVE_RUN_STATUSES, RunStatus
from app.store.tables.statuses import any_of


def _ahead(of: str) -> str:
    """Return which runs go before a created one: those under way, and created ones that came earlier."""
    return f"""
        from sync_job_run other
       where other.sync_job_id = {of}.sync_job_id and other.mutex_key = {of}.mutex_key and other.id <> {of}.id
             and other.status in {any_of(LIVE_RUN_STATUSES)}
             and (other.status <> '{RunStatus.CREATED}'
                  or not other.force and (other.created_at, other.id) < ({of}.created_at, {of}.id))
    """


def _queues(of: str) -> str:
    return f"{of}.status = '{RunStatus.CREATED}' and {of}.mutex_key is not null and not {of}.force"


def waits(of: str) -> str:
    """Return the condition that a run may not start yet; ``of`` is the alias of its row."""
    return f"({_queues(of)} and exists(select {_ahead(of)}))"


def waiting_on(of: str) -> str:
    """Return the SQL for the run that goes before a created one: the one under way, or else the first in line."""
    return f"""
        case when {_queues(of)} then (
            select other.id {_ahead(of)}
             order by other.status = '{RunStatus.CREATED}', other.created_at, other.id limit 1) end
    """


# All that would start a run wait here for each other; the statement that follows sees what the others did.
_LOCK = text(f"""
    select pg_advisory_xact_lock(hashtextextended(sync_job_id::text || ':' || mutex_key, 0))
      from sync_job_run where id = :run_id and status = '{RunStatus.CREATED}' and mutex_key is not null
""")

_NEXT = text(f"""
    select run.id, run.queue from sync_job_run ended
      join sync_job_run run on run.sync_job_id = ended.sync_job_id and run.mutex_key = ended.mutex_key
     where ended.id = :run_id and run.status = '{RunStatus.CREATED}' and not run.force and not {waits("run")}
     order by run.created_at, run.id limit 1
""")


def lock(connection: Connection, run_id: str) -> None:
    """Lock the mutex of a run, so that no other one starts with it until this transaction ends."""
    connection.execute(_LOCK, {"run_id": run_id})


def find_next_in_line(connection: Connection, run_id: str) -> tuple[str, str] | None:
    """Find the run that may start now that this one has ended, with its queue."""
    row = connection.execute(_NEXT, {"run_id": run_id}).one_or_none()
    return (str(row.id), row.queue) if row else None
