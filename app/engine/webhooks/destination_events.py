"""What webhooks receive of destinations: that one lags, that it fails, and that it is well again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.engine.objects.environments import EnvironmentId
from app.engine.runs.work import EventDraft
from app.engine.webhooks.events import draft_for_each


class DestinationHealth(StrEnum):
    """How a destination is, as the last event said."""

    WELL = "well"
    BEHIND = "behind"
    """Something has waited for too long to be written."""
    FAILING = "failing"
    """Writing has failed for too long."""


EVENTS: Final = {
    DestinationHealth.WELL: "destination:recovered",
    DestinationHealth.BEHIND: "destination:behind",
    DestinationHealth.FAILING: "destination:failing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDestination:
    """A destination that is not paused, as it stands."""

    id: str
    environment_id: EnvironmentId
    datastore_id: str
    label: str | None
    health: DestinationHealth
    """As the last event said."""
    failing: int
    """Accounts whose last attempt has failed."""
    failing_seconds: float
    """For how long the one of them that has failed for longest."""
    lag_records: int
    lag_seconds: float
    last_error: str | None


def judge_health(seen: SeenDestination, *, behind_seconds: float, failing_seconds: float) -> DestinationHealth:
    """Return how a destination is; 0 of ``behind_seconds`` never finds one behind."""
    if seen.failing and seen.failing_seconds >= failing_seconds:
        return DestinationHealth.FAILING
    if behind_seconds and seen.lag_seconds >= behind_seconds:
        return DestinationHealth.BEHIND
    return DestinationHealth.WELL


def draft_destination_event(
    seen: SeenDestination, health: DestinationHealth, *, to: Sequence[str], at: datetime
) -> list[EventDraft]:
    """Draft for webhooks what has become of a destination."""
    payload = {
        "id": seen.id,
        "datastore_id": seen.datastore_id,
        "label": seen.label,
        "failing": seen.failing,
        "lag_records": seen.lag_records,
        "lag_seconds": round(seen.lag_seconds, 3),
        "last_error": seen.last_error,
    }
    return draft_for_each(to, EVENTS[health], payload, environment_id=seen.environment_id, at=at)
