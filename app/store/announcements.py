"""Events that belong to no run: queued for whoever subscribes to them, and sent by the leader."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, insert, text

from app.engine.objects import EnvironmentId
from app.engine.work import EventDraft, PendingEvent
from app.services.conflicts import repeats_conflicts
from app.store import tables
from app.store.database import reading

DUE_ANNOUNCEMENTS: Final = """
    select from delivery
     where run_id is null and status = 'pending' and (wake_at is null or wake_at <= now())
"""
"""Events of no run that can be sent now."""

_SUBSCRIBERS = text("""
    select id from webhook
     where environment_id = :environment_id and is_active and (event_types is null or :event = any(event_types))
""")

# One whose webhook was deleted has no environment, and is given up.
_DUE = text("""
    select d.id, d.webhook_id, w.environment_id, d.event, d.body, d.attempts, d.created_at
      from delivery d left join webhook w on w.id = d.webhook_id
     where d.run_id is null and d.status = 'pending' and (d.wake_at is null or d.wake_at <= now())
           and d.id <> all(cast(:skipped as uuid[]))
     order by d.sequence limit :limit
""")

_SETTLE = text("""
    update delivery
       set status = :status, attempts = attempts + 1, last_status_code = :status_code, last_error = :error,
           last_attempt_at = now(), delivered_at = case when :status = 'delivered' then now() end
     where id = :id and status = 'pending'
""")

_FAILED_ATTEMPT = text("""
    update delivery
       set attempts = attempts + 1, last_status_code = :status_code, last_error = :error, last_attempt_at = now(),
           wake_at = now() + make_interval(secs => :wake_seconds)
     where id = :id
""")


def subscribers(connection: Connection, environment_id: EnvironmentId, event: str) -> list[str]:
    """List the active webhooks of an environment that want events of a name."""
    found = connection.execute(_SUBSCRIBERS, {"environment_id": environment_id, "event": event})
    return [str(id) for id in found.scalars()]


def announce(
    connection: Connection,
    environment_id: EnvironmentId,
    event: str,
    make: Callable[[Sequence[str]], Sequence[EventDraft]],
) -> None:
    """Queue an event for each webhook that wants it, within the caller's transaction."""
    if webhook_ids := subscribers(connection, environment_id, event):
        insert_announcements(connection, make(webhook_ids))


def insert_announcements(connection: Connection, drafts: Sequence[EventDraft]) -> None:
    """Queue events of no run within the caller's transaction."""
    rows = [
        {"id": draft.id, "webhook_id": draft.webhook_id, "event": draft.event, "body": draft.body} for draft in drafts
    ]
    if rows:
        connection.execute(insert(tables.delivery), rows)


@repeats_conflicts
class AnnouncementStore:
    """The events of no run that wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, *, limit: int, skipped: Sequence[str] = ()) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        """List those whose time has come but for some, oldest first, each with its webhook's environment."""
        with reading(self._engine) as connection:
            rows = connection.execute(_DUE, {"limit": limit, "skipped": list(skipped)}).mappings().all()
        return [
            (
                EnvironmentId(str(row["environment_id"])) if row["environment_id"] else None,
                PendingEvent(
                    id=str(row["id"]),
                    webhook_id=str(row["webhook_id"]),
                    resource_id=None,
                    event=row["event"],
                    body=bytes(row["body"]),
                    records=0,
                    attempts=row["attempts"],
                    created_at=row["created_at"],
                ),
            )
            for row in rows
        ]

    def settle(self, event_id: str, *, delivered: bool, status_code: int | None, error: str | None) -> None:
        """Write an event's end, delivered or given up."""
        status = "delivered" if delivered else "dead_lettered"
        with self._engine.begin() as connection:
            values = {"id": event_id, "status": status, "status_code": status_code, "error": error}
            connection.execute(_SETTLE, values)

    def failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        """Write down why an attempt failed; the event is due again later."""
        with self._engine.begin() as connection:
            values = {"id": event_id, "status_code": status_code, "error": error, "wake_seconds": wake_seconds}
            connection.execute(_FAILED_ATTEMPT, values)
