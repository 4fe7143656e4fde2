"""Which accounts' logs are due at which destinations: new pairs get a cursor, those that lag are marked and listed.

Writing a page touches none of these rows: whoever asks compares the cursors with the logs.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, text

from app.engine.objects.daemons import name_queue
from app.services.destinations.work import DueCursor
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading

# The only accounts of a job are those to which its runs have brought records.
_ADD_NEW: Final = text("""
    insert into destination_cursor (destination_id, integrated_account_id, epoch)
    select d.id, a.id, d.epoch
      from destination d
      join integrated_account a on a.environment_id = d.environment_id
      join account_log l on l.integrated_account_id = a.id and l.last_sequence > 0
     where d.paused_at is null
           and (d.integrated_account_id is null or d.integrated_account_id = a.id)
           and (d.sync_job_id is null or exists (
                select from record_key k where k.integrated_account_id = a.id and k.sync_job_id = d.sync_job_id))
           and not exists (select from destination_cursor c
                            where c.destination_id = d.id and c.integrated_account_id = a.id)
     limit :limit
        on conflict do nothing
""")
_HAS_ROOM: Final = "(c.no_room_until is null or c.no_room_until <= now())"
_IS_FREE: Final = "c.due_at <= now() and (c.lease_until is null or c.lease_until < now())"
_LAGS: Final = "l.integrated_account_id = c.integrated_account_id and (l.last_sequence > c.cursor or c.is_rebuilding)"
# In turn over destinations: the first of each before the second of any.
_DISPATCH_DUE: Final = text(f"""
    with held as (
        select destination_id, count(*) as leased from destination_cursor
         where lease_until is not null and lease_until > now() group by destination_id),
         chosen as (
        select d.id as destination_id, d.daemon_group_key, found.integrated_account_id
          from destination d
          left join held on held.destination_id = d.id
         cross join lateral (
               select c.integrated_account_id, row_number() over (order by c.due_at) as place
                 from destination_cursor c
                 join account_log l on {_LAGS}
                 join integrated_account a on a.id = c.integrated_account_id
                where c.destination_id = d.id and {_IS_FREE} and {_HAS_ROOM}
                      and (c.rung_at is null or c.rung_at < now() - make_interval(secs => :ring_after))
                order by c.due_at limit greatest(0, :most_of_destination - coalesce(held.leased, 0))) found
         where d.paused_at is null
         order by found.place, d.id
         limit greatest(0, :limit - (select count(*) from destination_cursor where no_room_until > now())))
    update destination_cursor c set rung_at = now(), no_room_until = null
      from chosen
     where c.destination_id = chosen.destination_id and c.integrated_account_id = chosen.integrated_account_id
 returning c.destination_id, c.integrated_account_id, chosen.daemon_group_key
""")
_NEXT: Final = text(f"""
    with next as (
        select c.destination_id, c.integrated_account_id, d.daemon_group_key
          from destination_cursor c
          join destination d on d.id = c.destination_id and d.paused_at is null
          join account_log l on {_LAGS}
         where c.destination_id = :destination_id and {_IS_FREE}
               and (c.rung_at is null or c.rung_at < now() - make_interval(secs => :ring_after))
         order by c.due_at limit 1 for update of c skip locked)
    update destination_cursor c set rung_at = now(), no_room_until = null
      from next
     where c.destination_id = next.destination_id and c.integrated_account_id = next.integrated_account_id
 returning c.destination_id, c.integrated_account_id, next.daemon_group_key
""")
_REDISPATCH: Final = text("""
    update destination_cursor set rung_at = null
     where (destination_id, integrated_account_id) in (
           select * from unnest(cast(:destinations as uuid[]), cast(:accounts as uuid[])))
""")
_PUT_BACK: Final = text("""
    update destination_cursor set rung_at = null, no_room_until = now() + make_interval(secs => :seconds)
     where destination_id = :destination_id and integrated_account_id = :account_id and rung_at is not null
""")
_ANY: Final = text("select exists (select from destination where paused_at is null)")


@retry_conflicts
class DueCursors:
    """The cursors of all destinations, as far as they lag."""

    def __init__(self, engine: Engine, *, default_group: str) -> None:
        self._engine = engine
        self._default_group = default_group

    def has_any(self) -> bool:
        """Whether there is a destination that writes."""
        with reading(self._engine) as connection:
            return bool(connection.execute(_ANY).scalar_one())

    def add_new(self, *, limit: int) -> int:
        """Give cursors to accounts whose logs a destination is to read and does not yet; return how many."""
        with self._engine.begin() as connection:
            return int(connection.execute(_ADD_NEW, {"limit": limit}).rowcount)

    def dispatch_due(self, *, most_of_destination: int, ring_after_seconds: float, limit: int) -> Sequence[DueCursor]:
        """Mark and list the cursors that lag, in turn over their destinations."""
        values = {"most_of_destination": most_of_destination, "ring_after": ring_after_seconds, "limit": limit}
        with self._engine.begin() as connection:
            return [self._due(*row) for row in connection.execute(_DISPATCH_DUE, values)]

    def next_of(self, destination_id: str, *, ring_after_seconds: float) -> DueCursor | None:
        """Mark and return the cursor of a destination that has waited longest."""
        values = {"destination_id": destination_id, "ring_after": ring_after_seconds}
        with self._engine.begin() as connection:
            row = connection.execute(_NEXT, values).one_or_none()
        return self._due(*row) if row else None

    def redispatch(self, cursors: Sequence[DueCursor]) -> None:
        """Mark cursors as not dispatched: the broker did not take the message."""
        values = {
            "destinations": [one.destination_id for one in cursors],
            "accounts": [one.account_id for one in cursors],
        }
        with self._engine.begin() as connection:
            connection.execute(_REDISPATCH, values)

    def put_back(self, destination_id: str, account_id: str, *, seconds: float) -> None:
        """Record that a daemon had no room for a cursor: the leader waits so long, a slice that ends does not."""
        values = {"destination_id": destination_id, "account_id": account_id, "seconds": seconds}
        with self._engine.begin() as connection:
            connection.execute(_PUT_BACK, values)

    def _due(self, destination_id: object, account_id: object, group_key: str | None) -> DueCursor:
        queue = name_queue(group_key or self._default_group)
        return DueCursor(destination_id=str(destination_id), account_id=str(account_id), queue=queue)
