"""What a run's page shows of the run's units, errors and deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.engine.json_types import JsonObject
from app.engine.objects.webhooks import Delivery
from app.engine.runs.work import UnitKind
from app.engine.status import UnitStatus
from app.engine.times import format_utc_for_people

_STANDS: Final[Mapping[UnitStatus, str]] = {
    UnitStatus.READY: "waits for a daemon",
    UnitStatus.LEASED: "a daemon works on it",
    UnitStatus.BLOCKED: "waits for the webhook's receiver",
    UnitStatus.IDLE: "nothing to deliver now",
    UnitStatus.DONE: "done",
    UnitStatus.FAILED: "given up",
    UnitStatus.CANCELLED: "the run ended first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpan:
    """One unit of work: when it was there, and what it waits for."""

    id: str
    resource: str | None
    """None: it delivers the run's events."""
    kind: UnitKind
    status: UnitStatus
    requests: int
    pages: int
    attempts: int
    """Claims since its last page."""
    created_at: datetime
    updated_at: datetime
    wake_at: datetime | None
    lease_expires_at: datetime | None

    def describe_wait(self, now: datetime, *, has_begun: bool) -> str:
        """Return in words what it does, or waits for."""
        match self.status:
            case UnitStatus.READY if self.wake_at is not None and self.wake_at > now:
                return self._describe_timer(self.wake_at)
            case UnitStatus.LEASED if self.lease_expires_at is not None and self.lease_expires_at < now:
                return "its daemon is gone: another one takes it up"
            case UnitStatus.BLOCKED if not has_begun:
                return "waits until the run starts"
            case _:
                return _STANDS[self.status]

    def _describe_timer(self, wake_at: datetime) -> str:
        until = format_utc_for_people(wake_at)
        if self.kind is UnitKind.DELIVERY:
            return f"waits for the webhook's receiver, and is tried again at {until}"
        if self.attempts:
            return f"{self.attempts} attempts failed; it is tried again at {until}"
        return f"waits for the upstream's limit until {until}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpans:
    """Some of a run's units, and how many there are in each status."""

    counts: Mapping[UnitStatus, int]
    shown: Sequence[UnitSpan]
    """Those that are not over, and the longest of the others, in the order of their creation."""

    @property
    def total(self) -> int:
        """Count all units."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Errors of one cause, and the newest of them."""

    code: str
    resource: str | None
    method: str | None
    status: int | None
    """That the upstream answered."""
    count: int
    first_at: datetime
    last_at: datetime
    message: str
    details: JsonObject = field(repr=False)
    """The request, and an excerpt of the answer; secrets were masked when it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroups:
    """The newest errors of a run by their cause, the most frequent first."""

    groups: Sequence[ErrorGroup]
    is_capped: bool
    """Older ones were not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDeliveries:
    """How many of a run's events are in each status, and the newest that were not delivered."""

    counts: Mapping[str, int]
    is_capped: bool
    undelivered: Sequence[Delivery]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """All of it, read at about one moment."""

    job_label: str | None
    """None: the job is gone."""
    tenant_id: str | None
    """None: the account is gone."""
    units: UnitSpans
    errors: ErrorGroups
    deliveries: RunDeliveries
