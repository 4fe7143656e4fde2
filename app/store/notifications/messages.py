"""Messages that wait to be sent: taken under a lease, one of each destination at a time, and what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import Notification
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row, reading

_UNSENT: Final = "sent_at is null and given_up_at is null"


def _unsent(name: str) -> str:
    return f"{name}.sent_at is null and {name}.given_up_at is null"


_IS_ANY_DUE: Final = text(f"select exists (select from notification where {_UNSENT} and due_at <= now())")
# The order of a group's messages stays: that something is over is not told before that it was so.
_TAKE: Final = text(f"""
    with due as (
         select distinct on (n.notification_destination_id) n.id
           from notification n join notification_destination d on d.id = n.notification_destination_id
          where {_unsent("n")} and n.due_at <= now() and d.is_active
                and n.id <> all(cast(:skipped as uuid[]))
                and not exists (
                    select from notification other
                     where other.notification_destination_id = n.notification_destination_id
                           and {_unsent("other")} and other.lease_expires_at > now())
                and not exists (
                    select from notification earlier
                     where earlier.notification_destination_id = n.notification_destination_id
                           and {_unsent("earlier")}
                           and earlier.event = n.event and earlier.cause = n.cause
                           and earlier.notification_rule_id is not distinct from n.notification_rule_id
                           and earlier.created_at < n.created_at)
          order by n.notification_destination_id, n.due_at, n.id),
         locked as (
         select id from notification where id in (select id from due) and {_UNSENT}
                and coalesce(lease_expires_at, '-infinity') <= now()
          order by due_at limit :limit for update skip locked)
    update notification
       set attempts = attempts + 1, lease_expires_at = now() + make_interval(secs => :lease_seconds)
      from locked where notification.id = locked.id
 returning notification.*
""")
_SENT: Final = text("""
    with sent as (
         update notification set sent_at = now(), lease_expires_at = null, last_error = null
          where id = :id and sent_at is null
      returning notification_destination_id)
    update notification_destination d set failing_since = null, last_error = null
      from sent where d.id = sent.notification_destination_id and d.failing_since is not null
""")
_FAILED: Final = text(f"""
    with failed as (
         update notification
            set last_error = :error, lease_expires_at = null, due_at = now() + make_interval(secs => :pause_seconds),
                given_up_at = case when created_at < now() - make_interval(secs => :patience_seconds) then now() end
          where id = :id and {_UNSENT}
      returning notification_destination_id)
    update notification_destination d set failing_since = coalesce(d.failing_since, now()), last_error = :error
      from failed where d.id = failed.notification_destination_id
           and (d.failing_since is null or d.last_error is distinct from :error)
""")


@retry_conflicts
class MessageStore:
    """The messages of all destinations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take_due(self, *, limit: int, lease_seconds: float, skipped: Sequence[str]) -> Sequence[Row]:
        """Lease some due messages for so long, at most one of each destination; return their rows."""
        values = {"limit": limit, "lease_seconds": lease_seconds, "skipped": list(skipped)}
        with reading(self._engine) as connection:
            # Hardly ever anything is due.
            if not connection.execute(_IS_ANY_DUE).scalar_one():
                return []
        with self._engine.begin() as connection:
            return connection.execute(_TAKE, values).mappings().all()

    def read(self, row: Mapping[str, Any]) -> Notification:
        """Read a message's row."""
        return Notification(
            id=str(row["id"]),
            environment_id=EnvironmentId(str(row["environment_id"])),
            notification_destination_id=str(row["notification_destination_id"]),
            message=row["message"],
            attempts=row["attempts"],
            created_at=row["created_at"],
        )

    def record_sent(self, notification_id: str) -> None:
        """Record that a receiver took a message; its destination works."""
        with self._engine.begin() as connection:
            connection.execute(_SENT, {"id": notification_id})

    def record_failure(
        self, notification_id: str, error: str, *, pause_seconds: float, patience_seconds: float
    ) -> None:
        """Record why an attempt failed; the message is due again later, or given up when it is that old."""
        values = {"id": notification_id, "error": error, "pause_seconds": pause_seconds}
        with self._engine.begin() as connection:
            connection.execute(_FAILED, {**values, "patience_seconds": patience_seconds})
