"""What Postgres knows of a run's progress, read at about one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.runs.landing import AwaitedDestination
from app.engine.runs.settling import Exchanges
from app.engine.status import ResourceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """The state of a run's fetching units."""

    working: int = 0
    """Those that a daemon holds."""
    waiting: int = 0
    """Those that a daemon could take now."""
    waiting_since: datetime | None = None
    """When a daemon was first asked to take one of these, and did not."""
    parked: int = 0
    wakes_at: datetime | None = None
    blocked: int = 0
    """Those that wait for the receiver to accept, or to catch up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentHolder:
    """A daemon that holds a unit, and has not renewed its lease for some time."""

    label: str | None
    """None: it is no daemon, or one of an older version."""
    what: str
    """The unit's resource, or what else it does."""
    held_since: datetime | None
    renewed_at: datetime
    expires_at: datetime
    reported_at: datetime | None
    """When its last heartbeat came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReport:
    """The daemon of a run's group that was the last to report, of those that did not sign off."""

    label: str
    reported_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """The state of a run's events to its webhook."""

    pending: int = 0
    attempts: int = 0
    """Of the event that is sent next."""
    last_status_code: int | None = None
    last_error: str | None = None
    retries_at: datetime | None = None
    disabled_reason: str | None = None
    """Of the webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFacts:
    """The requests of a resource, and the usual time of those of earlier runs."""

    name: str
    method: str
    status: ResourceStatus
    exchanges: Exchanges
    started_at: datetime | None
    finished_at: datetime | None
    asked_since: datetime | None = None
    """When requests that are under way last made progress; None: none are."""
    usual_ms: float | None = None
    """What an answer took in the last runs of the same job and account that completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """All facts of a run."""

    units: UnitFacts
    deliveries: DeliveryFacts
    resources: Sequence[ResourceFacts]
    active_daemons: int
    """Of the run's group."""
    last_report: LastReport | None = None
    unheard_seconds: float = 25.0
    """After this time without a report a daemon has missed two."""
    silent_holder: SilentHolder | None = None
    """The one that has been silent for longest."""
    destinations: Sequence[AwaitedDestination] = ()
    """Of a run that waits for them."""
    destination_wait_seconds: float = 0.0
    """How long it waits; 0: for as long as it takes."""
    usual_seconds: float | None = None
    """How long the last runs of the same job and account took that completed."""
