"""Share a daemon's workers fairly among accounts, so that a huge run never has all of them.

A unit that found no room is passed on: its message goes to the end of the queue, where another daemon may find it. That
is done now and then only, or full daemons would throw messages at each other; the rest wait until a slice of their
account ends here, whose place the one gets that has waited longest.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from app.engine.runs.work import CrowdedOut, UnitKind, WakeUp
from app.services.units.ports import Units, WorkerContext

_PASS_ON_SECONDS: Final = 0.2


class AccountFairness:
    """The crowded accounts of one daemon."""

    def __init__(
        self, units: Units, worker_context: WorkerContext, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._units = units
        self._dispatcher = worker_context.dispatcher
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._passed_on_at: dict[str, float] = {}
        """When a unit of each crowded account was last passed on."""
        self.has_idle_worker: Callable[[], bool] = lambda: False
        """Whether this daemon has a worker to spare; a daemon sets it when it knows its number of workers."""

    def waits_for_webhook(self, unit_id: str) -> bool:
        """Whether a unit that could not be claimed waits for its webhook; one of a crowded account is passed on."""
        crowded = self._units.find_crowded_out(unit_id)
        if crowded is not None and crowded.kind is UnitKind.FETCH:
            self._pass_on(crowded)
        return crowded is not None and crowded.kind is UnitKind.DELIVERY

    def may_go_on(self, account_id: str) -> bool:
        """Whether a slice may go on when its time is up, as no unit would get a worker sooner if it ended."""
        with self._lock:
            is_crowded = account_id in self._passed_on_at
        return not is_crowded and self.has_idle_worker()

    def _pass_on(self, crowded: CrowdedOut) -> None:
        """Dispatch a unit again: another daemon may have room for it."""
        now = self._monotonic()
        with self._lock:
            last = self._passed_on_at.get(crowded.account_id)
            if last is not None and now - last < _PASS_ON_SECONDS:
                return
            self._passed_on_at[crowded.account_id] = now
        self._dispatcher.dispatch([crowded.dispatch])

    def release(self, account_id: str, own: WakeUp | None) -> None:
        """Dispatch what follows a slice: its account's unit that waited longest, else its own if it goes on."""
        with self._lock:
            is_crowded = account_id in self._passed_on_at
        following = self._units.take_next_of_account(account_id) if is_crowded else None
        if is_crowded and following is None:
            with self._lock:
                self._passed_on_at.pop(account_id, None)
        if wake_up := following or own:
            self._dispatcher.dispatch([wake_up])
