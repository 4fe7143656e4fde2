"""Which incidents are sent together, and the message about them: written in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.notifications import events
from app.engine.notifications.messages import MOST_EXAMPLES, Told
from app.engine.objects.notifications import NotificationKind
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row, reading
from app.store.notifications.incidents import LOCK

_NEW: Final = "resolved_at is null and notified_at is null"
_OVER: Final = "resolved_at is not null and notified_at is not null"
_OPEN: Final = "resolved_at is null and notified_at is not null"
_WHICH: Final = {
    NotificationKind.OPENED: _NEW,
    NotificationKind.RESOLVED: _OVER,
    NotificationKind.REMINDER: _OPEN,
}
_OF_GROUP: Final = """
    notification_destination_id = :destination_id and closed_at is null and event = :event and cause = :cause
    and notification_rule_id is not distinct from cast(:rule_id as uuid)
"""

# A message of a group waits while the one before it has not been sent, and for an interval after that was written.
_DUE: Final = text(f"""
    select g.*, r.label as rule_label from (
           select notification_rule_id as rule_id, event, cause,
                  bool_or({_NEW}) as opened, bool_or({_OVER}) as resolved,
                  coalesce(bool_or({_OPEN} and :reminder > 0 and coalesce(reminded_at, notified_at)
                                   < now() - make_interval(secs => :reminder)), false) as reminder
             from incident where notification_destination_id = :destination_id and closed_at is null
            group by notification_rule_id, event, cause) g
           left join notification_rule r on r.id = g.rule_id
""")
_WAITS: Final = text("""
    select exists (
           select from notification
            where notification_destination_id = :destination_id and event = :event and cause = :cause and kind = :kind
                  and notification_rule_id is not distinct from cast(:rule_id as uuid)
                  and (created_at > now() - make_interval(secs => :interval)
                       or sent_at is null and given_up_at is null))
""")
_CLOSE_UNTOLD: Final = text("""
    update incident set closed_at = now()
     where notification_destination_id = :destination_id and closed_at is null and resolved_at is not null
           and notified_at is null
""")


def _tell(kind: NotificationKind, change: str) -> Any:
    # Those that were notified of before are read as they were: this statement's own changes are not seen by it.
    return text(f"""
        with told as (
             update incident set {change} where {_OF_GROUP} and {_WHICH[kind]} returning *),
             shown as (
             select told.facts, told.subject, told.count, told.opened_at, told.integrated_account_id, a.tenant_id,
                    i.name as integration_name
               from told left join integrated_account a on a.id = told.integrated_account_id
                    left join integration i on i.id = a.integration_id
              order by told.opened_at, told.id limit {MOST_EXAMPLES})
        select count(*) as incidents, count(distinct integrated_account_id) as accounts, sum(count) as count,
               min(opened_at) as since,
               (select count(*) from incident
                 where {_OF_GROUP} and resolved_at is null and id not in (select id from told)) as others,
               (select coalesce(jsonb_agg(to_jsonb(shown)), '[]') from shown) as examples
          from told
    """)


_ONCE: Final = "notified_at = now(), resolved_at = now(), closed_at = now()"
_TELL: Final = {
    NotificationKind.OPENED: _tell(NotificationKind.OPENED, "notified_at = now()"),
    NotificationKind.RESOLVED: _tell(NotificationKind.RESOLVED, "closed_at = now()"),
    NotificationKind.REMINDER: _tell(NotificationKind.REMINDER, "reminded_at = now()"),
}
_TELL_ONCE: Final = _tell(NotificationKind.OPENED, _ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Incidents of one watch and one cause, of which something is to be sent."""

    destination_id: str
    environment_id: str
    rule_id: str | None
    event: str
    cause: str
    kind: NotificationKind
    rule_label: str | None

    @property
    def key(self) -> str:
        """What identifies it among all."""
        return f"{self.destination_id} {self.rule_id or 'default'} {self.event} {self.kind} {self.cause}"


@retry_conflicts
class GroupStore:
    """What is to be told, and what was."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close_untold(self, destination_id: str) -> None:
        """Close what was over before a message about it was sent."""
        with self._engine.begin() as connection:
            connection.execute(_CLOSE_UNTOLD, {"destination_id": destination_id})

    def find_due(self, environment_id: str, destination_id: str, *, reminder_seconds: float) -> Sequence[Group]:
        """List the groups of which something may be sent."""
        values = {"destination_id": destination_id, "reminder": reminder_seconds}
        with reading(self._engine) as connection:
            rows = connection.execute(_DUE, values).mappings().all()
        return [
            _group(row, kind, environment_id, destination_id)
            for row in rows
            for kind in _WHICH
            if row[kind.value] and (kind is not NotificationKind.REMINDER or events.EVENTS[row["event"]].is_reminded)
        ]

    def tell(self, group: Group, compose: Callable[[Told], JsonObject], *, interval_seconds: float) -> bool:
        """Mark a group's incidents as sent, and write the message about them; return whether there is one."""
        values = {
            "destination_id": group.destination_id,
            "rule_id": group.rule_id,
            "event": group.event,
            "cause": group.cause,
            "kind": group.kind.value,
            "interval": interval_seconds,
        }
        statement = _TELL[group.kind] if events.EVENTS[group.event].ends else _TELL_ONCE
        with self._engine.begin() as connection:
            if connection.execute(LOCK, values).first() is None or connection.execute(_WAITS, values).scalar_one():
                return False
            row = connection.execute(statement, values).mappings().one()
            if not row["incidents"]:
                return False
            _write(connection, group, compose(_told(group, row)))
        return True


def _write(connection: Connection, group: Group, message: JsonObject) -> None:
    connection.execute(
        insert(tables.notification).values(
            id=new_id(),
            environment_id=group.environment_id,
            notification_destination_id=group.destination_id,
            notification_rule_id=group.rule_id,
            event=group.event,
            cause=group.cause,
            kind=group.kind.value,
            message=message,
        )
    )


def _told(group: Group, row: Row) -> Told:
    is_over = group.kind is NotificationKind.RESOLVED
    examples = [
        {**one["facts"], **{name: value for name, value in one.items() if name != "facts" and value is not None}}
        for one in row["examples"]
    ]
    return Told(
        event=group.event,
        kind=group.kind,
        cause=group.cause,
        incidents=int(row["incidents"]),
        accounts=int(row["accounts"]),
        count=int(row["count"]),
        since=row["since"],
        left=int(row["others"]) + (0 if is_over else int(row["incidents"])),
        examples=examples,
        rule_label=group.rule_label,
    )


def _group(row: Row, kind: NotificationKind, environment_id: str, destination_id: str) -> Group:
    return Group(
        destination_id=destination_id,
        environment_id=environment_id,
        rule_id=None if row["rule_id"] is None else str(row["rule_id"]),
        event=row["event"],
        cause=row["cause"],
        kind=kind,
        rule_label=row["rule_label"],
    )
