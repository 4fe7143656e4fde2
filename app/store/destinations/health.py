"""How destinations are, beside what webhooks were notified of them."""

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
from app.store.destinations.destinations import WAITS

_FAILING: Final = f"c.status = '{CursorStatus.FAILING}'"
_LOOK: Final = text(f"""
    select d.id, d.environment_id, d.datastore_id, d.label, d.health,
           count(*) filter (where {_FAILING}) as failing,
           coalesce(max(extract(epoch from now() - c.failing_since)) filter (where {_FAILING}), 0) as failing_seconds,
           coalesce(sum(greatest(0, l.last_sequence - c.cursor)), 0) as lag_records,
           coalesce(max(case when l.last_sequence > c.cursor then {WAITS} else 0 end), 0) as lag_seconds,
           (array_agg(c.last_error order by c.failing_since desc)
                filter (where c.last_error is not null))[1] as last_error
      from destination d
      left join destination_cursor c on c.destination_id = d.id
      left join account_log l on l.integrated_account_id = c.integrated_account_id
     where d.paused_at is null
     group by d.id
""")
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
        """List the destinations that are not paused, as they stand."""
        with reading(self._engine) as connection:
            return [_seen(row) for row in connection.execute(_LOOK).mappings()]

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
        failing_seconds=float(row["failing_seconds"]),
        lag_records=int(row["lag_records"]),
        lag_seconds=float(row["lag_seconds"]),
        last_error=row["last_error"],
    )
