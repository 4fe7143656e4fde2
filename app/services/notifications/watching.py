"""Watch for what people are to be notified of: a duty of the leader, for each destination and rule apart.

All state is in Postgres. What is found is written as incidents, and the message about them in the transaction that
marks them as sent: a process that dies in between has sent nothing, and the next one finds the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from app.engine.json_types import JsonObject
from app.engine.notifications import events, messages
from app.engine.notifications.events import DEFAULTS
from app.engine.notifications.messages import Told
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import NotificationDestination, NotificationType, Watch
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows

EVERY_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingTerms:
    """How often people are notified."""

    interval_seconds: float
    """Between two messages about one cause."""
    reminder_seconds: float
    """After how long people are reminded of what is still so; 0: never."""
    public_url: str
    """Where links lead; empty: there are none."""


class Watching:
    """Finds what is wrong, and writes the messages about it."""

    def __init__(
        self,
        *,
        list_watched: Callable[[], Sequence[tuple[str, Sequence[Mapping[str, Any]]]]],
        compare: Callable[[Watch], bool],
        close_others: Callable[[str, Sequence[Watch]], None],
        inspect: Callable[[EnvironmentId, str], NotificationDestination | None],
        telling: "Telling",
        monotonic: Callable[[], float],
    ) -> None:
        """``compare`` returns False when another process watches for the destination."""
        self._list_watched = list_watched
        self._compare = compare
        self._close_others = close_others
        self._inspect = inspect
        self._telling = telling
        self._monotonic = monotonic
        self._rows = DutyRows("watching", monotonic=monotonic)
        self._after = ""
        """The destination at which the last turn ended; empty: it came to the end."""

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return (Duty(name="watching", do=self.watch, every_seconds=EVERY_SECONDS),)

    def watch(self) -> bool:
        """Watch for a while; return whether destinations are left, with which the next turn goes on."""
        until = self._monotonic() + TURN_SECONDS
        skipped = set(self._rows.list_skipped())
        for destination_id, rows in self._list_watched():
            if destination_id <= self._after:
                continue
            self._watch_for(destination_id, rows, skipped)
            self._after = destination_id
            if self._monotonic() >= until:
                return True
        self._after = ""
        return False

    def _watch_for(self, destination_id: str, rows: Sequence[Mapping[str, Any]], skipped: set[str]) -> None:
        watches = self._rows.handle(destination_id, partial(self._read_watches, rows))
        for watch in watches or ():
            if watch.key not in skipped:
                self._rows.handle(watch.key, partial(self._compare, watch))
        if watches is None or destination_id in skipped:
            return
        self._rows.handle(f"{destination_id} rest", partial(self._close_others, destination_id, watches))
        if rows:
            self._telling.tell(str(rows[0]["environment_id"]), destination_id)

    def _read_watches(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Watch]:
        """Return what a destination is notified of: by its rules, or by default."""
        watches = [watch for row in rows for watch in _read_row(row) if _is_wanted(watch, row["event_types"])]
        if not watches or rows[0]["type"] != NotificationType.SLACK:
            return watches
        destination = self._inspect(watches[0].environment_id, watches[0].destination_id)
        ignored = destination.config.get("ignored_status_codes", []) if destination else []
        return [replace(watch, ignored_statuses=tuple(ignored)) for watch in watches]


class Telling:
    """Writes a message about each group of incidents that is due."""

    def __init__(
        self,
        *,
        close_untold: Callable[[str], None],
        find_due: Callable[..., Sequence[Any]],
        tell: Callable[..., bool],
        terms: TellingTerms,
        monotonic: Callable[[], float],
    ) -> None:
        self._close_untold = close_untold
        self._find_due = find_due
        self._tell = tell
        self._terms = terms
        self._rows = DutyRows("telling", monotonic=monotonic)

    def tell(self, environment_id: str, destination_id: str) -> None:
        """Write the messages of one destination; a group that can not be sent keeps no other from being sent."""
        skipped = set(self._rows.list_skipped())
        self._rows.handle(destination_id, partial(self._close_untold, destination_id))
        due = self._rows.handle(
            f"{destination_id} groups",
            partial(self._find_due, environment_id, destination_id, reminder_seconds=self._terms.reminder_seconds),
        )
        for group in due or ():
            if group.key not in skipped:
                tell = partial(self._tell, group, self._compose, interval_seconds=self._terms.interval_seconds)
                self._rows.handle(group.key, tell)

    def _compose(self, told: Told) -> JsonObject:
        return messages.compose(told, public_url=self._terms.public_url)


def _read_row(row: Mapping[str, Any]) -> Sequence[Watch]:
    environment_id = EnvironmentId(str(row["environment_id"]))
    if row["rule_id"] is None:
        return [Watch(destination_id=str(row["id"]), environment_id=environment_id, event=event) for event in DEFAULTS]
    return [
        Watch(
            destination_id=str(row["id"]),
            environment_id=environment_id,
            event=row["event"],
            rule_id=str(row["rule_id"]),
            sync_job_id=_text(row["sync_job_id"]),
            integrated_account_id=_text(row["integrated_account_id"]),
            config=row["config"],
        )
    ]


def _is_wanted(watch: Watch, event_types: Sequence[str] | None) -> bool:
    """Whether a destination gets an event that a rule of it watches."""
    return watch.event in events.EVENTS and (event_types is None or watch.event in event_types)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
