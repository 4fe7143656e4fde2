"""Events that belong to no run: queued for the webhooks that subscribe to them, and sent by the leader."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, insert, text

from app.engine.objects.environments import EnvironmentId
from app.engine.runs.work import EventDraft, PendingEvent
from app.engine.status import DeliveryStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.announcements.webhook_turns import lock_key, under_way
from app.store.db.database import Row
from app.store.db.owned_rows import build_object
from app.store.tables.statuses import origins

_DUE_SINCE: Final = "coalesce(wake_at, '-infinity'::timestamp with time zone)"

DUE_ANNOUNCEMENTS: Final = f"""
    select from delivery where run_id is null and status = '{DeliveryStatus.PENDING}' and {_DUE_SINCE} <= now()
"""
"""Events of no run that can be sent now; one that is under way can not before its lease has ended."""

_SUBSCRIBERS = text("""
    select id from webhook
     where environment_id = :environment_id and is_active and (event_types is null or :event = any(event_types))
""")

# Steps from one webhook to the next by the index, so that many events of one do not delay the others. Of the webhooks
# with room, those whose oldest event has waited longest come first, and no more than can be taken: Postgres has room
# for so many locks only. A webhook whose lock is held is left to the next time, since nothing here may wait.
WEBHOOKS = text(f"""
    with recursive waiting (webhook_id) as (
        (select webhook_id from delivery where run_id is null
        and status = '{DeliveryStatus.PENDING}' order by webhook_id limit 1)
        union all
        select (select delivery.webhook_id from delivery
                 where run_id is null and status = '{DeliveryStatus.PENDING}'
                       and delivery.webhook_id > waiting.webhook_id
                 order by delivery.webhook_id limit 1)
          from waiting where waiting.webhook_id is not null),
         first as materialized (
        select waiting.webhook_id from waiting
               cross join lateral (
               select {_DUE_SINCE} as since, sequence from delivery
                where run_id is null and status = '{DeliveryStatus.PENDING}'
                      and delivery.webhook_id = waiting.webhook_id
                      and {_DUE_SINCE} <= now()
                order by {_DUE_SINCE}, sequence limit 1) oldest
         where :most_of_webhook > {under_way("waiting.webhook_id")}
         order by oldest.since, oldest.sequence limit :limit)
    select first.webhook_id from first where pg_try_advisory_xact_lock({lock_key("first.webhook_id")})
""")

# In turn over the webhooks, of each at most as many as its limit leaves beside those in flight. An event whose webhook
# was deleted has no environment.
_TAKE = text(f"""
    with due as (
        select d.id, d.turn, d.since, d.sequence from unnest(cast(:webhook_ids as uuid[])) waiting (webhook_id)
               cross join lateral (
               select own.id, {_DUE_SINCE} as since, own.sequence,
                      row_number() over (order by {_DUE_SINCE}, sequence) as turn
                 from delivery own
                where own.run_id is null and own.status = '{DeliveryStatus.PENDING}'
                      and own.webhook_id = waiting.webhook_id
                      and {_DUE_SINCE} <= now()
                order by {_DUE_SINCE}, sequence
                limit greatest(0, :most_of_webhook - {under_way("waiting.webhook_id")})) d
         order by d.turn, d.since, d.sequence limit :limit),
         taken as (
        update delivery set lease_expires_at = now() + make_interval(secs => :lease_seconds),
                            wake_at = now() + make_interval(secs => :lease_seconds)
          from due where delivery.id = due.id and delivery.status = '{DeliveryStatus.PENDING}'
     returning delivery.id, delivery.webhook_id, delivery.event, delivery.body, delivery.attempts,
               delivery.created_at, due.turn)
    select taken.*, w.environment_id from taken left join webhook w on w.id = taken.webhook_id order by taken.turn
""")

_SETTLE = text(f"""
    update delivery
       set status = :status, attempts = attempts + 1, last_status_code = :status_code, last_error = :error,
           last_attempt_at = now(), delivered_at = case when :status = '{DeliveryStatus.DELIVERED}' then now() end,
           lease_expires_at = null
     where id = :id and status in {origins(DeliveryStatus.DELIVERED)}
""")

_FAILED_ATTEMPT = text(f"""
    update delivery
       set attempts = attempts + 1, last_status_code = :status_code, last_error = :error, last_attempt_at = now(),
           wake_at = now() + make_interval(secs => :wake_seconds), lease_expires_at = null
     where id = :id and status = '{DeliveryStatus.PENDING}'
""")

_RELEASE = text(f"""
    update delivery set wake_at = now() + make_interval(secs => :wake_seconds), lease_expires_at = null
     where id = :id and status = '{DeliveryStatus.PENDING}'
""")


def subscribers(connection: Connection, environment_id: EnvironmentId, event: str) -> list[str]:
    """List the active webhooks of an environment that subscribe to events of a name."""
    found = connection.execute(_SUBSCRIBERS, {"environment_id": environment_id, "event": event})
    return [str(id) for id in found.scalars()]


def announce(
    connection: Connection,
    environment_id: EnvironmentId,
    event: str,
    make: Callable[[Sequence[str]], Sequence[EventDraft]],
) -> None:
    """Queue an event for each webhook that subscribes to it, within the caller's transaction."""
    if webhook_ids := subscribers(connection, environment_id, event):
        insert_announcements(connection, make(webhook_ids))


def insert_announcements(connection: Connection, drafts: Sequence[EventDraft]) -> None:
    """Queue events of no run within the caller's transaction."""
    rows = [
        {"id": draft.id, "webhook_id": draft.webhook_id, "event": draft.event, "body": draft.body} for draft in drafts
    ]
    if rows:
        connection.execute(insert(tables.delivery), rows)


@retry_conflicts
class AnnouncementStore:
    """The events of no run that wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take_due(
        self, *, limit: int, most_of_webhook: int, lease_seconds: float
    ) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        """Lease some due events for so long, in turn over their webhooks; return each with its environment.

        The environment is None where the webhook was deleted.
        """
        terms = {"limit": limit, "most_of_webhook": most_of_webhook, "lease_seconds": lease_seconds}
        with self._engine.begin() as connection:
            webhook_ids = connection.execute(WEBHOOKS, terms).scalars().all()
            rows = connection.execute(_TAKE, {**terms, "webhook_ids": [str(id) for id in webhook_ids]}).mappings().all()
        return [(_environment(row["environment_id"]), _event(row)) for row in rows]

    def release(self, event_id: str, *, wake_seconds: float) -> None:
        """Release an event that was not sent; it is due again later."""
        with self._engine.begin() as connection:
            connection.execute(_RELEASE, {"id": event_id, "wake_seconds": wake_seconds})

    def settle(self, event_id: str, end: DeliveryStatus, *, status_code: int | None, error: str | None) -> None:
        """Write the final status of an event."""
        with self._engine.begin() as connection:
            values = {"id": event_id, "status": end, "status_code": status_code, "error": error}
            connection.execute(_SETTLE, values)

    def record_failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        """Record why an attempt failed; the event is due again later."""
        with self._engine.begin() as connection:
            values = {"id": event_id, "status_code": status_code, "error": error, "wake_seconds": wake_seconds}
            connection.execute(_FAILED_ATTEMPT, values)


def _environment(id: object) -> EnvironmentId | None:
    return EnvironmentId(str(id)) if id is not None else None


def _event(row: Row) -> PendingEvent:
    return build_object(PendingEvent, row, resource_id=None, body=bytes(row["body"]), records=0)
