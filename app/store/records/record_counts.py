"""Count the records of accounts that have many, beside the work: a page that shows the number can not wait for it."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from app.services.runs.conflicts import retry_conflicts

_BOUND: Final = text("set local statement_timeout = '60s'")

# Each record has a number of its own in the log, so an account has no more of them than its log has numbers.
# A count is not due again before two hundred times as long has passed as it took.
_DUE: Final = text("""
    select l.integrated_account_id
      from account_log l left join record_count c on c.integrated_account_id = l.integrated_account_id
     where l.last_sequence > :most_small and l.integrated_account_id <> all(cast(:skipped as uuid[]))
           and (c.counted_at is null
                or c.counted_through < l.last_sequence
                   and c.counted_at < now() - make_interval(secs => greatest(:every_seconds, 200 * c.seconds)))
     order by c.counted_at nulls first limit :limit
""")
_COUNT: Final = text("""
    insert into record_count (integrated_account_id, counts, counted_through, counted_at, seconds)
    select l.integrated_account_id, coalesce(found.counts, '{}'), l.last_sequence, now(),
           extract(epoch from clock_timestamp() - statement_timestamp())
      from (select jsonb_object_agg(resource, records) as counts
              from (select resource, count(*) as records from record
                     where integrated_account_id = :account_id and deleted_at is null group by resource) by_resource
           ) found
     cross join account_log l
     where l.integrated_account_id = :account_id
        on conflict (integrated_account_id) do update
       set counts = excluded.counts, counted_through = excluded.counted_through, counted_at = excluded.counted_at,
           seconds = excluded.seconds
""")
# An account that was erased while it was counted has no log any more.
_FORGET: Final = text("""
    delete from record_count c
     where not exists (select from account_log l where l.integrated_account_id = c.integrated_account_id)
""")


@retry_conflicts
class RecordCounts:
    """The counts of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_due(self, *, most_small: int, every_seconds: float, skipped: Sequence[str], limit: int) -> Sequence[str]:
        """List accounts to be counted: their logs have more than ``most_small`` numbers, and have gone on."""
        values: dict[str, Any] = {"most_small": most_small, "every_seconds": every_seconds, "limit": limit}
        with self._engine.begin() as connection:
            connection.execute(_FORGET)
            return [str(id) for id in connection.execute(_DUE, {**values, "skipped": list(skipped)}).scalars()]

    def count(self, account_id: str) -> None:
        """Count an account's records, resource by resource."""
        with self._engine.begin() as connection:
            connection.execute(_BOUND)
            connection.execute(_COUNT, {"account_id": account_id})
