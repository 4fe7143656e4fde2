"""How fast an upstream answers for one resource, compared with the usual pace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.services.diagnosis.run_facts import ResourceFacts

_SLOW: Final = 5.0
"""How many times the usual time is slow."""

_NOTICED_MS: Final = 250.0
"""A smaller difference is not noticed."""
_LEAST_SILENCE_SECONDS: Final = 5.0
_LEAST_LENGTH_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePace:
    """The pace of a resource's requests."""

    resource: str
    method: str
    status: str
    requests: int
    latency_ms: float | None
    """The average time of an answer."""
    usual_latency_ms: float | None
    requests_per_second: float | None
    silent_seconds: float | None
    """How long ago requests that are under way last made progress; None: none are."""
    is_slow: bool
    """It takes five times as long as usual, or longer."""


def measure_pace(facts: ResourceFacts, now: datetime) -> ResourcePace:
    """Return the pace of a resource."""
    exchanges, usual = facts.exchanges, facts.usual_ms
    latency = exchanges.answer_ms / exchanges.answered if exchanges.answered else None
    silent = None if facts.asked_since is None else max(0.0, (now - facts.asked_since).total_seconds())
    return ResourcePace(
        resource=facts.name,
        method=facts.method,
        status=facts.status,
        requests=exchanges.requests,
        latency_ms=None if latency is None else round(latency, 1),
        usual_latency_ms=None if usual is None else round(usual, 1),
        requests_per_second=_rate(facts, now),
        silent_seconds=None if silent is None else round(silent, 1),
        is_slow=_is_late(latency, usual) or _is_silent(silent, usual),
    )


def is_slow_run(seconds: float | None, usual: float | None) -> bool:
    """Whether a run takes much longer than usual, and longer than a minimum."""
    if seconds is None or usual is None:
        return False
    return seconds >= max(_LEAST_LENGTH_SECONDS, _SLOW * usual)


def _rate(facts: ResourceFacts, now: datetime) -> float | None:
    if facts.started_at is None or not facts.exchanges.requests:
        return None
    seconds = ((facts.finished_at or now) - facts.started_at).total_seconds()
    # A resource begins with its first answer: within its first second there is no rate.
    return round(facts.exchanges.requests / seconds, 2) if seconds >= 1 else None


def _is_late(latency: float | None, usual: float | None) -> bool:
    if latency is None or usual is None:
        return False
    return latency >= _SLOW * usual and latency - usual >= _NOTICED_MS


def _is_silent(silent: float | None, usual: float | None) -> bool:
    return silent is not None and silent >= max(_LEAST_SILENCE_SECONDS, _SLOW * (usual or 0.0) / 1000)
