"""What a gate admits, and how it stands."""

from dataclasses import dataclass


@dataclass(slots=True)
class Admission:
    """One request that was admitted, until it leaves."""

    endpoint: str
    sent_at: float
    waited_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """How a gate stands, for the metrics."""

    integration: str
    window: int
    """Requests that may be in flight over all daemons."""
    pace: float | None
    """Requests per second, where the upstream states or refuses so much; None is as many as the window admits."""
    in_flight: int
    waiting: int
