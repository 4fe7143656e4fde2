"""Limits of the requests that a token and its environment make, or an account receives, in a window over all processes.

A process takes leases of the window's requests, which grow as it spends them and shrink as they run out, so that most
requests cost no round trip. Others can not use what it holds unspent until the window ends: at most as many requests as
it has spent itself, and at most a twentieth of the limit.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.calls.ports import TakeRequests, Window

_LARGEST_SHARE: Final = 20
_SHARE_OF_THE_REST: Final = 4
_MOST_KEPT: Final = 1000
"""How many leases are kept before those whose windows have ended are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What each request of a token is answered about its limit."""

    is_admitted: bool
    limit: int
    window_seconds: float
    remaining: int
    """The remaining requests that this process knows of."""
    reset_seconds: int
    """Until the window ends; at least 1."""
    of_environment: bool = False
    """The limit is that of the environment, which all of its tokens share."""


@dataclass(slots=True)
class _Lease:
    key: str
    limit: int
    of_environment: bool
    ends_at: float = 0.0
    held: int = 0
    spent: int = 0
    beyond: int = 0
    """What no process had taken when this one last asked."""

    @property
    def is_used_up(self) -> bool:
        return not (self.held or self.beyond)

    def next_size(self) -> int:
        return max(1, min(self.spent, self.beyond // _SHARE_OF_THE_REST, self.limit // _LARGEST_SHARE))

    def fill(self, requests: int, window: Window, now: float) -> None:
        self.held += min(requests, max(0, self.limit - window.used + requests))
        self.beyond = max(0, self.limit - window.used)
        self.ends_at = now + window.left_seconds


class RequestLimits:
    """Admits the requests of tokens, and of their environments; safe to use from several threads."""

    def __init__(
        self,
        take: TakeRequests,
        *,
        limit: int,
        window_seconds: float,
        monotonic: Callable[[], float],
        environment_limit: int = 0,
    ) -> None:
        """A limit of 0 means no limit."""
        self._take_of_all = take
        self._limit = limit
        self._environment_limit = environment_limit
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}

    def ask(self, token_id: str, environment_id: str = "") -> Allowance | None:
        """Spend one request of a token or another key, and of its environment; return whether it is admitted.

        None where there is no limit.
        """
        with self._lock:
            leases = self._leases_of(token_id, environment_id)
            if not leases:
                return None
            wanted = {lease.key: lease.next_size() for lease in leases if not lease.held}
            if not wanted or any(lease.is_used_up for lease in leases):
                return self._spend(leases)
        # Not under the lock: a slow store delays only the thread that asks it.
        windows = self._take_of_all(wanted)
        with self._lock:
            for lease in leases:
                if lease.key in wanted:
                    lease.fill(wanted[lease.key], windows[lease.key], self._monotonic())
            return self._spend(leases)

    def _leases_of(self, token_id: str, environment_id: str) -> Sequence[_Lease]:
        found = [self._lease(token_id, self._limit)] if self._limit else []
        if environment_id and self._environment_limit:
            found.append(self._lease(f"environment:{environment_id}", self._environment_limit, of_environment=True))
        return found

    def _lease(self, key: str, limit: int, *, of_environment: bool = False) -> _Lease:
        """Return the lease of the present window, or a new one for a window that is not known yet."""
        now = self._monotonic()
        lease = self._leases.get(key)
        if lease is None or now >= lease.ends_at:
            if len(self._leases) >= _MOST_KEPT:
                self._leases = {id: one for id, one in self._leases.items() if now < one.ends_at}
            lease = _Lease(key, limit, of_environment, ends_at=now + self._window_seconds, beyond=limit)
            self._leases[key] = lease
        return lease

    def _spend(self, leases: Sequence[_Lease]) -> Allowance:
        # The lease that is used up, not one that was not refilled because of it.
        refusing = min((lease for lease in leases if not lease.held), key=lambda lease: lease.beyond, default=None)
        if refusing is None:
            for lease in leases:
                lease.held -= 1
                lease.spent += 1
        shown = refusing or leases[0]
        return Allowance(
            is_admitted=refusing is None,
            limit=shown.limit,
            window_seconds=self._window_seconds,
            remaining=shown.held + shown.beyond,
            reset_seconds=max(1, math.ceil(shown.ends_at - self._monotonic())),
            of_environment=shown.of_environment,
        )
