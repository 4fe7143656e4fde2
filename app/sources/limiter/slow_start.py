"""Rounds of requests to an account of which no limit is known yet: each waits for the answers to the one before it."""

from app.engine.limits import constants


class SlowStart:
    """The requests that may go out until the budget has seen what became of them."""

    def __init__(self) -> None:
        self._size = 0
        self._started = 0
        self._began_at = 0.0
        self._is_over = True

    def begin(self, *, size: int, in_flight: int, now: float) -> None:
        """Begin the next round, unless one is under way; what is still in flight is part of it."""
        if self._is_over or in_flight == 0:
            self._size, self._started, self._began_at, self._is_over = size, in_flight, now, False

    def start(self) -> None:
        """Count a request that goes out."""
        self._started += 1

    def ends_with(self, in_flight: int) -> bool:
        """End the round when so few are left that the next one need not wait for them; True when it ended just now."""
        ends = not self._is_over and in_flight <= self._size // 4
        self._is_over |= ends
        return ends

    def is_full(self, *, in_flight: int, now: float) -> bool:
        """Whether the round has all its requests; one that drags on holds nobody up."""
        return self._started >= self._size and in_flight > 0 and now - self._began_at < constants.LONGEST_ROUND_SECONDS
