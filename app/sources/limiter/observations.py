"""What one process observes of an account's upstream between two reports to the shared budget.

An upstream slows down where an answer takes much longer than the fastest of its endpoint lately. It is too busy where
so many of its latest answers say so that it is no accident.
"""

import statistics
from collections import deque
from dataclasses import dataclass, field

from app.engine.limits import budget_state, constants
from app.engine.limits.budget_state import Quota, Report
from app.engine.limits.headers import RateLimitHeaders


@dataclass(slots=True)
class OverloadWatch:
    """The latest answers of one account's upstream in this process."""

    _latest: deque[bool] = field(default_factory=lambda: deque(maxlen=constants.OVERLOAD_REMEMBERED))
    """Whether each said that the upstream is too busy."""

    def record_served(self) -> None:
        """Record an answer that says nothing of it."""
        self._latest.append(False)

    def record_overload(self) -> bool:
        """Record an answer that says that the upstream is too busy; return whether too many of the latest did."""
        self._latest.append(True)
        busy = sum(self._latest)
        return busy >= constants.OVERLOADS and busy > constants.OVERLOAD_SHARE * len(self._latest)

    def clear(self) -> None:
        """Drop the answers to what was sent with a larger window."""
        self._latest.clear()


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


@dataclass(slots=True)
class Observations:
    """Counts since the last report; moments are those of the shared clock."""

    latencies: LatencyWatch = field(default_factory=LatencyWatch)
    overloads: OverloadWatch = field(default_factory=OverloadWatch)
    served: int = 0
    refused: int = 0
    late_served: int = 0
    late_refused: int = 0
    trouble_sent_at: float = 0.0
    wait_until: float | None = None
    default_wait_seconds: float | None = None
    is_full: bool = False
    is_overloaded: bool = False
    was_idle: bool = False
    quota: Quota | None = None
    has_room: bool = False

    def record_served(self, endpoint: str, sent_at: float, now: float, *, is_late: bool) -> None:
        """Record an answer that is no refusal."""
        if is_late:
            self.late_served += 1
            return
        self.served += 1
        self.overloads.record_served()
        self.latencies.record(endpoint, now, now - sent_at)

    def record_refused(
        self, sent_at: float, wait_until: float | None, *, is_late: bool, default_seconds: float | None = None
    ) -> None:
        """Record a refusal and the wait that it asks for."""
        if is_late:
            self.late_refused += 1
            return
        self.refused += 1
        self.trouble_sent_at = max(self.trouble_sent_at, sent_at)
        self.default_wait_seconds = default_seconds
        if wait_until is not None:
            self.wait_until = max(self.wait_until or 0.0, wait_until)

    def record_overload(self, sent_at: float, *, is_late: bool) -> None:
        """Record that the upstream was too busy."""
        if not is_late and self.overloads.record_overload():
            self.is_overloaded = True
            self.trouble_sent_at = max(self.trouble_sent_at, sent_at)

    def clear_signs(self) -> None:
        """Drop the signs of congestion that came with a larger window."""
        self.latencies.clear()
        self.overloads.clear()

    def record_idleness(self) -> None:
        """Record that a new burst begins; what was served before the pause belongs to none."""
        self.was_idle = True
        self.served = self.late_served = 0

    def record_quota(self, headers: RateLimitHeaders, now: float) -> None:
        """Record the requests that remain, where an answer says so."""
        if headers.remaining is None:
            return
        # Another process that shares the limit may have taken the last one.
        self.has_room = headers.remaining > 1
        if headers.reset_seconds is None:
            return
        quota = Quota(left=headers.remaining, size=headers.limit, until=now + headers.reset_seconds)
        self.quota = budget_state.merge_quota(self.quota, quota)

    def report(self, *, wanted: int, in_flight: int, now: float) -> Report:
        """Return the report, and begin the next one."""
        is_slower, is_slow = self.latencies.judge()
        report = Report(
            wanted=wanted,
            in_flight=in_flight,
            served=self.served,
            refused=self.refused,
            late_served=self.late_served,
            late_refused=self.late_refused,
            trouble_sent_at=self.trouble_sent_at if self.trouble_sent_at else now,
            wait_seconds=None if self.wait_until is None else max(0.05, self.wait_until - now),
            default_wait_seconds=self.default_wait_seconds,
            is_slow=is_slow or self.is_overloaded,
            is_full=self.is_full and not is_slower,
            was_idle=self.was_idle,
            quota=self.quota,
            has_room=self.has_room,
        )
        self._clear()
        return report

    def _clear(self) -> None:
        self.served = self.refused = self.late_served = self.late_refused = 0
        self.trouble_sent_at = 0.0
        self.is_full = self.is_overloaded = self.was_idle = self.has_room = False
        self.wait_until = self.quota = self.default_wait_seconds = None
