"""What the shared budget grants this process of one account, with its moments on this process's clock."""

from collections import deque

from app.engine.limits import constants
from app.engine.limits.budget_state import BudgetLimits, Grant


class GrantedPart:
    """The last grant and the starts that are left of it; none before the first exchange with the budget."""

    def __init__(self, limits: BudgetLimits) -> None:
        self.limits = limits
        self.grant: Grant | None = None
        self.closed_until = 0.0
        self.taken_at = 0.0
        """When the last grant was taken."""
        self._starts: deque[float] = deque()
        """When each request of a paced account may be sent."""
        self._offset = 0.0

    @property
    def is_paced(self) -> bool:
        """Whether the account's requests have a known rate."""
        return self.grant is not None and self.grant.pace is not None

    @property
    def useful_requests(self) -> int:
        """How many requests a caller should ask for at once; more would only wait."""
        grant = self.grant
        if grant is None:
            return min(self.limits.start, self.limits.most)
        paced = grant.window if grant.pace is None else int(grant.pace * constants.PACED_AHEAD_SECONDS) + 2
        # Room to grow into: the window only grows while it is full.
        return max(1, min(2 * grant.window, paced, self.limits.most))

    @property
    def unused_starts(self) -> int:
        """How many requests of a paced account may still be sent."""
        return len(self._starts)

    def take(self, grant: Grant, *, offset: float, now: float, stays_closed: bool) -> None:
        """Work by another grant; ``offset`` is how far the shared clock is ahead of this one."""
        self.grant, self._offset, self.taken_at = grant, offset, now
        if grant.starts is None:
            self._starts.clear()
        else:
            self._starts.extend(start - offset for start in grant.starts)
        if not stays_closed:
            self.closed_until = grant.not_before - offset

    def close_until(self, moment: float, *, drops_starts: bool = False) -> None:
        """Send nothing before a moment, or before the later one that is known already."""
        self.closed_until = max(self.closed_until, moment)
        if drops_starts:
            self._starts.clear()

    def use_start(self) -> None:
        """Count a request that is sent."""
        if self._starts:
            self._starts.popleft()

    def drop_starts(self, most: int) -> None:
        """Keep at most so many starts."""
        while len(self._starts) > most:
            self._starts.pop()

    def is_open(self, now: float, in_flight: int) -> bool:
        """Whether one more request may be sent now."""
        grant = self.grant
        if grant is None or now < self.closed_until or in_flight >= grant.slots:
            return False
        return grant.starts is None or (bool(self._starts) and self._starts[0] <= now)

    def has_spare_slot(self, now: float, in_flight: int) -> bool:
        """Whether a second request may be sent beside one that hangs; never for a paced account."""
        grant = self.grant
        if grant is None or grant.starts is not None or now < self.closed_until:
            return False
        return in_flight < max(grant.slots, grant.part)

    def is_needed(self, in_flight: int) -> bool:
        """Whether more than half of the slots are in use, or there is no half to give away."""
        return self.grant is None or in_flight > self.grant.slots // 2 or self.grant.slots <= 1

    def was_sent_before_cut(self, sent_at: float) -> bool:
        """Whether a request was sent before the budget was cut last; ``sent_at`` is on the shared clock."""
        return self.grant is not None and sent_at <= self.grant.cut_at

    def wait_seconds(self, now: float) -> float:
        """Return how long the account is closed from now on."""
        until = self.closed_until
        if self.grant is not None:
            closed = self.grant.not_before if self._starts or self.grant.starts is None else self.grant.next_at
            until = max(until, closed - self._offset)
        return max(0.0, until - now)

    def next_opening(self, now: float) -> float | None:
        """Return the later moment from which a request may be sent; None where only another grant helps."""
        if now < self.closed_until:
            return self.closed_until
        return self._starts[0] if self._starts and now < self._starts[0] else None

    def report_pause_seconds(self, now: float, *, is_waiting: bool) -> float:
        """Return how long to wait before the next exchange; ``is_waiting`` where requests wait for one."""
        grant = self.grant
        if grant is None:
            return 0.0
        if not is_waiting:
            return constants.RENEW_SECONDS
        if now < self.closed_until:
            return min(constants.RENEW_SECONDS, self.closed_until - now)
        if grant.starts is not None and not self._starts:
            ahead = grant.next_at - self._offset - now - constants.START_EARLIER_SECONDS
            return min(constants.RENEW_SECONDS, max(constants.GROWING_REPORT_SECONDS, ahead))
        return (
            constants.GROWING_REPORT_SECONDS
            if grant.window < self.limits.most or grant.slots < grant.part
            else constants.FULL_REPORT_SECONDS
        )


def build_default_grant(limits: BudgetLimits) -> Grant:
    """Return as many requests as at the start, at no pace."""
    size = limits.start
    moments = {"next_at": 0.0, "not_before": 0.0, "cut_at": 0.0}
    return Grant(slots=size, starts=None, window=size, part=size, pace=None, is_opening=False, **moments)
