"""How many requests a token and its environment may make, or an account be sent, in a window, over all API processes.

A process takes leases of the window's requests, which grow as it spends them and shrink as they run out, so that most
requests cost no trip. What it holds unspent is lost to the others until the window ends: never more than it has spent
itself, and never more than a twentieth of the limit.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

_LARGEST_SHARE: Final = 20
_SHARE_OF_THE_REST: Final = 4
_MOST_KEPT: Final = 1000
"""Tokens that are remembered before those whose windows have ended are forgotten."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted under one key, right after requests were taken."""

    used: int
    """Taken by all processes; more than the limit once it is used up."""
    left_seconds: float


class RequestCounts(Protocol):
    """Counts requests where all processes see it."""

    def take(self, requests: Mapping[str, int]) -> Mapping[str, Window]:
        """Take requests of each key's window, which the first of them begins, in one trip; never raises."""


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
    of_environment: bool = False
    """It is the environment whose requests are used up, by all of its tokens together."""


@dataclass(slots=True)
class _Lease:
    key: str
    limit: int
    of_environment: bool
    ends_at: float = 0.0
    held: int = 0
    spent: int = 0
    beyond: int = 0
    """What nobody had taken when this process last asked."""

    @property
    def is_used_up(self) -> bool:
        return not (self.held or self.beyond)

    def wish(self) -> int:
        return max(1, min(self.spent, self.beyond // _SHARE_OF_THE_REST, self.limit // _LARGEST_SHARE))

    def fill(self, wish: int, window: Window, now: float) -> None:
        self.held += min(wish, max(0, self.limit - window.used + wish))
        self.beyond = max(0, self.limit - window.used)
        self.ends_at = now + window.left_seconds


class RequestLimits:
    """Admits the requests of tokens, and of their environments; safe to use from several threads."""

    def __init__(
        self,
        counts: RequestCounts,
        *,
        limit: int,
        window_seconds: float,
        monotonic: Callable[[], float],
        environment_limit: int = 0,
    ) -> None:
        """A limit of 0 is none."""
        self._counts = counts
        self._limit = limit
        self._environment_limit = environment_limit
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}

    def ask(self, token_id: str, environment_id: str = "") -> Allowance | None:
        """Spend one request of a token, or of what else has such a key, and of its environment, or refuse it.

        None where there is no limit.
        """
        with self._lock:
            leases = self._leases_of(token_id, environment_id)
            if not leases:
                return None
            wishes = {lease.key: lease.wish() for lease in leases if not lease.held}
            if not wishes or any(lease.is_used_up for lease in leases):
                return self._spend(leases)
        # Not under the lock: a slow store holds up who asks it, and nobody else.
        windows = self._counts.take(wishes)
        with self._lock:
            for lease in leases:
                if lease.key in wishes:
                    lease.fill(wishes[lease.key], windows[lease.key], self._monotonic())
            return self._spend(leases)

    def _leases_of(self, token_id: str, environment_id: str) -> Sequence[_Lease]:
        found = [self._lease(token_id, self._limit)] if self._limit else []
        if environment_id and self._environment_limit:
            found.append(self._lease(f"environment:{environment_id}", self._environment_limit, of_environment=True))
        return found

    def _lease(self, key: str, limit: int, *, of_environment: bool = False) -> _Lease:
        """Return the lease of the window that runs, or one of a window of which nothing is known yet."""
        now = self._monotonic()
        lease = self._leases.get(key)
        if lease is None or now >= lease.ends_at:
            if len(self._leases) >= _MOST_KEPT:
                self._leases = {id: one for id, one in self._leases.items() if now < one.ends_at}
            lease = _Lease(key, limit, of_environment, ends_at=now + self._window_seconds, beyond=limit)
            self._leases[key] = lease
        return lease

    def _spend(self, leases: Sequence[_Lease]) -> Allowance:
        # One that is used up, rather than one that was not asked about because of it.
        refusing = min((lease for lease in leases if not lease.held), key=lambda lease: lease.beyond, default=None)
        if refusing is None:
            for lease in leases:
                lease.held -= 1
                lease.spent += 1
        told = refusing or leases[0]
        return Allowance(
            is_admitted=refusing is None,
            limit=told.limit,
            window_seconds=self._window_seconds,
            remaining=told.held + told.beyond,
            reset_seconds=max(1, math.ceil(told.ends_at - self._monotonic())),
            of_environment=told.of_environment,
        )
