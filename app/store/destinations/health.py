"""How destinations are, beside what webhooks were notified of them, and kept for whoever asks often."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine, text

from app.engine.objects.environments import EnvironmentId
from app.engine.status import CursorStatus
from app.engine.webhooks.destination_events import EVENTS, DestinationHealth, SeenDestination, draft_destination_event
from app.services.ports import Clock
from app.services.runs.conflicts import retry_conflicts
from app.store.announcements.announcements import announce
from app.store.db.database import Row, reading
from app.store.destinations.destinations import OLDEST

_FAILING: Final = f"c.status = '{CursorStatus.FAILING}'"
_LOOK: Final = text(f"""
    select d.id, d.environment_id, d.datastore_id, d.label, d.health,
           count(*) filter (where {_FAILING}) as failing,
           min(c.failing_since) filter (where {_FAILING}) as failing_since,
           coalesce(sum(greatest(0, l.last_sequence - c.cursor)), 0)::bigint as lag_records,
           min(case when l.last_sequence > c.cursor then {OLDEST} end) as oldest_at, now() as at,
           (array_agg(c.last_error order by c.failing_since desc)
                filter (where c.last_error is not null))[1] as last_error
      from destination d
      left join destination_cursor c on c.destination_id = d.id
      left join account_log l on l.integrated_account_id = c.integrated_account_id
     where d.paused_at is null
     group by d.id
""")
# Rows that are the same stay as they are.
_KEEP: Final = text("""
    insert into destination_state as held (destination_id, failing, failing_since, lag_records, oldest_at)
    select * from unnest(cast(:ids as uuid[]), cast(:failing as integer[]), cast(:failing_since as timestamptz[]),
                         cast(:lag_records as bigint[]), cast(:oldest_at as timestamptz[])) as seen (id)
     where exists (select from destination d where d.id = seen.id)
        on conflict (destination_id) do update
       set failing = excluded.failing, failing_since = excluded.failing_since,
           lag_records = excluded.lag_records, oldest_at = excluded.oldest_at
     where (held.failing, held.failing_since, held.lag_records, held.oldest_at)
           is distinct from (excluded.failing, excluded.failing_since, excluded.lag_records, excluded.oldest_at)
""")
_KEPT: Final = ("failing", "failing_since", "lag_records", "oldest_at")
# Only the first of several who have seen the same tells it.
_NOTE: Final = text("update destination set health = :health where id = :id and health = :told")

_TROUBLED: Final = text("""
    select health, count(*) from destination where health <> 'well' and paused_at is null group by health
""")


@retry_conflicts
class DestinationHealthStore:
    """The health of all destinations."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def look(self) -> Sequence[SeenDestination]:
        """List the destinations that are not paused, as they stand, and keep that: it reads every cursor."""
        with reading(self._engine) as connection:
            rows = connection.execute(_LOOK).mappings().all()
        if rows:
            kept = {name: [row[name] for row in rows] for name in _KEPT}
            with self._engine.begin() as connection:
                connection.execute(_KEEP, {"ids": [row["id"] for row in rows], **kept})
        return [_seen(row) for row in rows]

    def count_troubled(self) -> Mapping[str, int]:
        """Count the destinations that webhooks were told of as ``behind`` or ``failing``, over all environments."""
        with reading(self._engine) as connection:
            return {str(health): int(count) for health, count in connection.execute(_TROUBLED)}

    def tell(self, seen: SeenDestination, health: DestinationHealth) -> None:
        """Record what is notified of a destination, and queue the event for all who subscribe to it."""
        with self._engine.begin() as connection:
            values = {"id": seen.id, "health": health.value, "told": seen.health.value}
            if connection.execute(_NOTE, values).rowcount != 1:
                return
            at = self._clock.now()
            announce(
                connection,
                seen.environment_id,
                EVENTS[health],
                lambda to: draft_destination_event(seen, health, to=to, at=at),
            )


def _seen(row: Row) -> SeenDestination:
    return SeenDestination(
        id=str(row["id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        datastore_id=str(row["datastore_id"]),
        label=row["label"],
        health=DestinationHealth(row["health"]),
        failing=row["failing"],
        failing_seconds=_count_seconds(row, "failing_since"),
        lag_records=int(row["lag_records"]),
        lag_seconds=_count_seconds(row, "oldest_at"),
        last_error=row["last_error"],
    )


def _count_seconds(row: Row, since: str) -> float:
    return 0.0 if row[since] is None else float((row["at"] - row[since]).total_seconds())
