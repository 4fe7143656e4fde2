"""How many requests a token may make, or an account's API be sent: so many in a window, over all API processes.

A process takes leases of the window's requests, which grow as it spends them and shrink as they run out, so that most
requests cost no trip. What it holds unspent is lost to the others until the window ends: never more than it has spent
itself, and never more than a twentieth of the limit.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

_LARGEST_SHARE: Final = 20
_SHARE_OF_THE_REST: Final = 4
_MOST_KEPT: Final = 1000
"""Tokens that are remembered before those whose windows have ended are forgotten."""


@dataclass(frozen=True, slots=True)
class Window:
    """A token's window, right after requests of it were taken."""

    used: int
    """Taken by all processes; more than the limit once it is used up."""
    left_seconds: float


class RequestCounts(Protocol):
    """Counts requests where all processes see it."""

    def take(self, token_id: str, requests: int) -> Window:
        """Take requests of a token's window, which the first of them begins. Never raises for a lost store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a token is told at each of its requests."""

    is_admitted: bool
    limit: int
    window_seconds: float
    remaining: int
    """As far as this process knows."""
    reset_seconds: int
    """Until there are new ones; at least 1."""


@dataclass(slots=True)
class _Lease:
    ends_at: float = 0.0
    held: int = 0
    spent: int = 0
    beyond: int = 0
    """What nobody had taken when this process last asked."""


class RequestLimits:
    """Admits a token's requests; safe to use from several threads."""

    def __init__(
        self, counts: RequestCounts, *, limit: int, window_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        """A limit of 0 is none."""
        self._counts = counts
        self._limit = limit
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}

    def ask(self, token_id: str) -> Allowance | None:
        """Spend one request of a token, or of what else has such a key, or refuse it; None where there is no limit."""
        if not self._limit:
            return None
        with self._lock:
            lease = self._lease(token_id)
            if lease.held or not lease.beyond:
                return self._spend(lease)
            wish = max(1, min(lease.spent, lease.beyond // _SHARE_OF_THE_REST, self._limit // _LARGEST_SHARE))
        # Not under the lock: a slow store holds up who asks it, and nobody else.
        window = self._counts.take(token_id, wish)
        with self._lock:
            lease.held += min(wish, max(0, self._limit - window.used + wish))
            lease.beyond = max(0, self._limit - window.used)
            lease.ends_at = self._monotonic() + window.left_seconds
            return self._spend(lease)

    def _lease(self, token_id: str) -> _Lease:
        """Give the lease of the window that runs, or one of a window of which nothing is known yet."""
        now = self._monotonic()
        lease = self._leases.get(token_id)
        if lease is None or now >= lease.ends_at:
            if len(self._leases) >= _MOST_KEPT:
                self._leases = {id: one for id, one in self._leases.items() if now < one.ends_at}
            lease = self._leases[token_id] = _Lease(ends_at=now + self._window_seconds, beyond=self._limit)
        return lease

    def _spend(self, lease: _Lease) -> Allowance:
        is_admitted = lease.held > 0
        if is_admitted:
            lease.held -= 1
            lease.spent += 1
        return Allowance(
            is_admitted=is_admitted,
            limit=self._limit,
            window_seconds=self._window_seconds,
            remaining=lease.held + lease.beyond,
            reset_seconds=max(1, math.ceil(lease.ends_at - self._monotonic())),
        )
