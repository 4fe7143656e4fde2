"""What a run's page shows of the run's units, errors and deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.webhooks import Delivery
from app.services.dashboard.unit_spans import UnitSpans


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
