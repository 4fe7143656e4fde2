"""Keep the leases of the units that this process works on, whatever their slices are busy with.

To prepare and to write a very large page takes longer than a lease. So one thread prolongs the leases of all slices, by
sessions of its own; a process that is frozen or dead prolongs none. Whether a lease was lost a slice learns by its next
write, or where it waits.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from app.engine.work import Claim

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 2.5
_PAUSES_PER_LEASE: Final = 6


class Leases(Protocol):
    """Prolongs leases, and waits for nobody who has locked a unit's row."""

    def keep(self, claim: Claim, *, lease_seconds: float) -> bool:
        """Prolong the lease unless its row is locked; False when it is gone."""


class LeaseKeeper:
    """The leases of one process's slices."""

    THREAD: Final = "ferryman-leases"

    def __init__(
        self,
        leases: Leases,
        *,
        lease_seconds: float,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._pause = pause
        self._monotonic = monotonic
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, lease_seconds / _PAUSES_PER_LEASE)
        self._lock = threading.Lock()
        self._since: dict[tuple[str, int], tuple[Claim, float]] = {}
        """The claims that are kept, by unit and token, each with when it was last prolonged."""
        self._has_thread = False

    @contextmanager
    def keeping(self, claim: Claim) -> Iterator[None]:
        """Keep a unit's lease until the block ends."""
        key = (claim.unit_id, claim.fencing_token)
        with self._lock:
            self._since[key] = (claim, self._monotonic())
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._keep_on, name=self.THREAD, daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._since.pop(key, None)

    def prolong_due(self) -> None:
        """Prolong the leases that were not for a while; one that is gone is kept no longer."""
        now = self._monotonic()
        with self._lock:
            due = [(key, claim) for key, (claim, since) in self._since.items() if now >= since + self._pause_seconds]
        for key, claim in due:
            is_held = self._leases.keep(claim, lease_seconds=self._lease_seconds)
            with self._lock:
                if not is_held:
                    self._since.pop(key, None)
                elif key in self._since:
                    self._since[key] = (claim, now)

    def _keep_on(self) -> None:
        """Prolong leases until there are none; the next one has a thread of its own."""
        while True:
            self._pause(self._pause_seconds)
            with self._lock:
                if not self._since:
                    self._has_thread = False
                    return
            try:
                self.prolong_due()
            except Exception:
                # Postgres may be away for a moment: whether a lease outlives that shows at the next write.
                logger.warning("leases could not be prolonged", exc_info=True)
