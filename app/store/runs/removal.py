"""Remove runs with all that belongs to them: so many rows of several runs at once, and last the runs themselves."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.store.records.account_log import AFTER_TRIM, TRIM

# What has many rows, by what is counted; the rest goes with the runs by foreign keys.
_PARTS: Final = {
    "unit": text(
        "delete from unit where id in (select id from unit where run_id = any(cast(:run_ids as uuid[])) limit :limit)"
    ),
    "record_seen": text("""
        delete from record_seen where id in (
            select s.id from record_seen s join run_resource r on r.id = s.resource_id
             where r.run_id = any(cast(:run_ids as uuid[])) limit :limit)
    """),
    "spool_batch": text("""
        delete from spool_batch where id in (
            select s.id from spool_batch s join run_resource r on r.id = s.resource_id
             where r.run_id = any(cast(:run_ids as uuid[])) limit :limit)
    """),
    "delivery": text(f"""
        with old as materialized (
                 select id, integrated_account_id, log_sequence as sequence from delivery
                  where run_id = any(cast(:run_ids as uuid[])) limit :limit),
             {TRIM}
        delete from delivery using old where delivery.id = old.id and {AFTER_TRIM}
    """),
    "run_error": text("""
        delete from run_error where id in (
            select id from run_error where run_id = any(cast(:run_ids as uuid[])) limit :limit)
    """),
}
_RUNS: Final = text("delete from sync_job_run where id = any(cast(:run_ids as uuid[]))")


def remove_runs(connection: Connection, run_ids: Sequence[str], *, limit: int) -> Mapping[str, int]:
    """Remove so many rows of runs that the caller has locked, by their table; ``sync_job_run`` once all is gone."""
    removed: dict[str, int] = {}
    left = limit
    for table, statement in _PARTS.items():
        count = connection.execute(statement, {"run_ids": list(run_ids), "limit": left}).rowcount
        if count:
            removed[table] = count
        left -= count
        if left <= 0:
            return removed
    return {**removed, "sync_job_run": connection.execute(_RUNS, {"run_ids": list(run_ids)}).rowcount}
