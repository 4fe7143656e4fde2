"""Detect that an upstream slows down: compare each answer's latency with the least that its endpoint took lately."""

import statistics
from dataclasses import dataclass, field

from app.engine.limits import constants


@dataclass(slots=True)
class _Least:
    """The least latency of this half minute and of the one before."""

    since: float
    current: float
    before: float

    def take(self, now: float, seconds: float) -> float:
        if now - self.since > constants.LATENCY_BUCKET_SECONDS:
            self.before, self.current, self.since = self.current, seconds, now
        self.current = min(self.current, seconds)
        return min(self.current, self.before)


@dataclass(slots=True)
class LatencyWatch:
    """The latencies of one account's endpoints."""

    _least: dict[str, _Least] = field(default_factory=dict)
    _ratios: list[float] = field(default_factory=list)
    _excesses: list[float] = field(default_factory=list)

    def record(self, endpoint: str, now: float, seconds: float) -> None:
        """Record one answer."""
        least = self._least.setdefault(endpoint, _Least(now, seconds, seconds)).take(now, seconds)
        self._ratios.append(seconds / max(least, 0.001))
        self._excesses.append(seconds - least)

    def judge(self) -> tuple[bool, bool]:
        """Return whether answers got steadily slower, and whether so much that it is congestion; then start again."""
        if len(self._ratios) < constants.LATENCY_SAMPLES:
            return False, False
        ratio, excess = statistics.median(self._ratios), statistics.median(self._excesses)
        self.clear()
        is_slower = ratio > constants.STEADY_RATIO and excess > constants.STEADY_EXCESS_SECONDS
        return is_slower, ratio > constants.SLOW_RATIO and excess > constants.SLOW_EXCESS_SECONDS

    def clear(self) -> None:
        """Drop the latencies since the last judgement: they were measured with a larger window."""
        self._ratios.clear()
        self._excesses.clear()
