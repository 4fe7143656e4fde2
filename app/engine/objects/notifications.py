"""Notification destinations, the rules that they are notified by, and what was sent."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId


class NotificationType(StrEnum):
    """How a notification destination is reached."""

    SLACK = "slack"
    """An incoming webhook as Slack has them; Mattermost and others take the same."""
    EMAIL = "email"
    WEBHOOK = "webhook"
    """Signed as webhooks of records are."""


class NotificationKind(StrEnum):
    """Why a notification is sent."""

    OPENED = "opened"
    """Something has come up."""
    REMINDER = "reminder"
    """It is still so."""
    RESOLVED = "resolved"
    """It is over."""
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDestination:
    """Where people are notified of what is wrong."""

    id: str
    environment_id: EnvironmentId
    type: NotificationType
    label: str | None = None
    config: JsonObject = field(default_factory=dict, repr=False)
    """With its secrets, for who sends; ``show_config`` leaves them out."""
    event_types: list[str] | None = None
    """None: every event that a rule watches."""
    is_active: bool = True
    failing_since: datetime | None = None
    """Its first failure after its last success."""
    last_error: str | None = None
    last_sent_at: datetime | None = None
    unreadable: str | None = None
    """Why its config does not decrypt, which is empty then."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRule:
    """What one notification destination is notified of."""

    id: str
    environment_id: EnvironmentId
    notification_destination_id: str
    event: str
    label: str | None = None
    sync_job_id: str | None = None
    """Only of this job; None: of all."""
    integrated_account_id: str | None = None
    """Only of this account; None: of all."""
    config: JsonObject = field(default_factory=dict)
    """The bounds of its event."""
    is_active: bool = True
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is wrong, or was, as one notification destination is notified of it."""

    id: str
    environment_id: EnvironmentId
    notification_destination_id: str
    notification_rule_id: str | None
    """The rule that watches for it; None: its destination has no rules."""
    event: str
    cause: str
    """Incidents of one event and one cause are sent together; empty where there is none."""
    subject: str
    """What it is about: an id, or several."""
    summary: str
    """It in one sentence, as it is sent."""
    advice: str
    """What to do."""
    integrated_account_id: str | None
    facts: JsonObject
    count: int
    """How often it has happened."""
    is_open: bool
    opened_at: datetime
    """Since when it is so."""
    created_at: datetime
    """When it was found."""
    last_seen_at: datetime
    notified_at: datetime | None
    """When its message was written."""
    reminded_at: datetime | None
    resolved_at: datetime | None
    """When it was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One event that a notification destination is notified of: by a rule, or because it has no rules."""

    destination_id: str
    environment_id: EnvironmentId
    event: str
    rule_id: str | None = None
    sync_job_id: str | None = None
    integrated_account_id: str | None = None
    config: JsonObject = field(default_factory=dict)
    ignored_statuses: tuple[int, ...] = ()
    """Failures by an upstream's answer of such a status are not sent."""

    @property
    def key(self) -> str:
        """What identifies it among all."""
        return f"{self.destination_id} {self.rule_id or 'default'} {self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A message to one destination, and how often it was tried."""

    id: str
    """The same at every attempt."""
    environment_id: EnvironmentId
    notification_destination_id: str
    message: JsonObject = field(repr=False)
    attempts: int
    created_at: datetime
