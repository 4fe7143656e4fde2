"""The destinations that a run waits for: where its records stand there, and what became of them.

A run's changes have numbers in its account's log, and a cursor that has passed the last of them has dealt with all.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.engine.json_types import JSON
from app.engine.records.rows import encode
from app.engine.runs.landing import AwaitedDestination, LandedRecords
from app.engine.status import BEGUN_RUN_STATUSES
from app.store.tables.statuses import any_of

_THROUGH: Final = "(select max(x.last_sequence) from run_resource x where x.run_id = r.id)"
# The destinations that read the run's account, whether they have begun to or not.
_READERS: Final = """
    destination d
      left join destination_cursor c
           on c.destination_id = d.id and c.integrated_account_id = r.integrated_account_id
     where d.environment_id = r.environment_id
           and (d.integrated_account_id is null or d.integrated_account_id = r.integrated_account_id)
           and (d.sync_job_id is null or exists (
                select from record_key k
                 where k.integrated_account_id = r.integrated_account_id and k.sync_job_id = d.sync_job_id))
"""
_AWAITED: Final = text(f"""
    select found.* from sync_job_run r cross join lateral (
           select d.id, d.label, coalesce(c.cursor, 0) as cursor, span.through, d.paused_at is not null as is_paused,
                  c.last_error
             from (select {_THROUGH} as through) span, {_READERS} and span.through is not null) found
     where r.id = :run_id order by found.id
""")
LANDING_RUNS: Final = f"""
    select r.id from sync_job_run r where r.landing_since is not null and r.status in {any_of(BEGUN_RUN_STATUSES)}
"""
"""Runs that wait for their destinations."""
LANDED_RUNS: Final = f"""
    {LANDING_RUNS}
           and ((:limit_seconds > 0 and r.landing_since <= now() - make_interval(secs => :limit_seconds))
                or not exists (select from {_READERS} and coalesce(c.cursor, 0) < {_THROUGH}))
"""
"""Those of them that need not any more, or have for too long."""
_BEGIN: Final = text("""
    update sync_job_run set landing_since = coalesce(landing_since, now()), deletions_decided = true where id = :run_id
""")
_COUNT: Final = text("""
    select d.id, coalesce(x.written, 0) as written, coalesce(x.unchanged, 0) as unchanged,
           coalesce(x.quarantined, 0) as quarantined, coalesce(x.filtered, 0) as filtered
      from destination d
      left join run_destination x on x.destination_id = d.id and x.run_id = :run_id
     where d.id = any(cast(:destination_ids as uuid[]))
""")
_NOTE: Final = text("update sync_job_run set destinations = cast(:landed as jsonb) where id = :run_id")


def read_awaited(connection: Connection, run_id: str) -> Sequence[AwaitedDestination]:
    """List the destinations that read what a run has changed; none where it has changed nothing."""
    rows = connection.execute(_AWAITED, {"run_id": run_id}).mappings()
    return [AwaitedDestination(**{**row, "id": str(row["id"])}) for row in rows]


def begin(connection: Connection, run_id: str) -> None:
    """Record that all but a run's destinations is done; what has vanished upstream is not decided again."""
    connection.execute(_BEGIN, {"run_id": run_id})


def note_landed(connection: Connection, run_id: str, landed: Sequence[AwaitedDestination]) -> None:
    """Write what became of a run's records at its destinations."""
    values = {"run_id": run_id, "destination_ids": [one.id for one in landed]}
    counts = {str(row["id"]): row for row in connection.execute(_COUNT, values).mappings()} if landed else {}
    shown: list[JSON] = [
        LandedRecords(
            destination_id=one.id,
            label=one.label,
            through=one.cursor,
            written=int(found["written"]),
            unchanged=int(found["unchanged"]),
            quarantined=int(found["quarantined"]),
            filtered=int(found["filtered"]),
        ).show()
        for one in landed
        if (found := counts.get(one.id)) is not None
    ]
    connection.execute(_NOTE, {"run_id": run_id, "landed": encode(shown).decode()})
