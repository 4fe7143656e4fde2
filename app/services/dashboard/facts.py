"""What only the dashboard asks about accounts and webhooks, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldResource:
    """What is held of one resource of an account."""

    name: str
    records: int
    is_capped: bool
    """There are more than were counted."""
    counted_at: datetime | None
    """When they were counted, and some were written since; None: the number is that of now."""
    read_at: datetime | None
    """When a run of late has completed it; None: none of late has."""
    last_run_id: str | None
    status: str | None
    """Of the last run of late that had it."""


class HappeningKind(StrEnum):
    """What the timeline of an account holds."""

    CHANGE = "change"
    """An entry of the audit log."""
    RUN = "run"
    EVENT = "event"
    """A batch or an event that was not delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to an account."""

    at: datetime
    kind: HappeningKind
    id: str
    what: str
    """The action of a change, the status of a run, the event of a delivery."""
    who: str
    """Who has made a change; empty otherwise."""
    details: str
    webhook_id: str | None = None
    has_errors: bool = False
    """Of a run: it ended with errors that no resume has mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Some of it, the newest first."""

    happenings: Sequence[Happening]
    before: datetime | None
    """Where it goes on; None at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The newest deliveries of a webhook, counted."""

    counted: int
    is_capped: bool
    """There are older ones, which were not counted."""
    pending: int
    failed: int
    delivered: int
    oldest_pending_at: datetime | None
    latencies: Sequence[float]
    """Seconds from event to answer of those that were delivered, the oldest first."""
