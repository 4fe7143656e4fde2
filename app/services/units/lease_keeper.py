"""Keep the leases of the units that this process works on, whatever their slices are busy with.

To prepare and to write a very large page takes longer than a lease. So one thread prolongs the leases of all slices, by
sessions of its own; a process that is frozen or dead prolongs none. A slice learns that its lease was lost by its next
write, or where it waits.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 2.5
_PAUSES_PER_LEASE: Final = 6


L = TypeVar("L")


@dataclass(slots=True)
class _Kept(Generic[L]):
    claim: L
    since: float
    """When its lease was last prolonged."""
    on_lost: Callable[[], object]


class LeaseKeeper(Generic[L]):
    """The leases of one process's slices."""

    THREAD: Final = "ferryman-leases"

    def __init__(
        self,
        prolong: Callable[[L], bool],
        *,
        lease_seconds: float,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``prolong`` returns False when a lease is gone, and never waits for a row that somebody has locked."""
        self._prolong = prolong
        self._pause = pause
        self._monotonic = monotonic
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, lease_seconds / _PAUSES_PER_LEASE)
        self._lock = threading.Lock()
        self._kept: dict[int, _Kept[L]] = {}
        """By the claim's identity, which is kept with it."""
        self._has_thread = False

    @contextmanager
    def keeping(self, claim: L) -> Iterator[None]:
        """Keep a unit's lease until the block ends."""
        self.keep(claim)
        try:
            yield
        finally:
            self.release(claim)

    def keep(self, claim: L, *, on_lost: Callable[[], object] = lambda: None) -> None:
        """Keep a unit's lease until it is released; ``on_lost`` happens when it is gone before."""
        with self._lock:
            self._kept[id(claim)] = _Kept(claim, self._monotonic(), on_lost)
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name=self.THREAD, daemon=True).start()

    def release(self, claim: L) -> None:
        """Keep a unit's lease no longer."""
        with self._lock:
            self._kept.pop(id(claim), None)

    def prolong_due(self) -> None:
        """Prolong the leases that were not for a while; one that is gone is kept no longer."""
        now = self._monotonic()
        with self._lock:
            due = [kept for kept in self._kept.values() if now >= kept.since + self._pause_seconds]
        for kept in due:
            is_held = self._prolong(kept.claim)
            kept.since = now
            if not is_held:
                self.release(kept.claim)
                kept.on_lost()

    def _run(self) -> None:
        """Prolong leases until there are none; the next one starts another thread."""
        while True:
            self._pause(self._pause_seconds)
            with self._lock:
                if not self._kept:
                    self._has_thread = False
                    return
            try:
                self.prolong_due()
            except Exception:
                # Postgres may be away for a moment; the next write shows whether a lease has outlived that.
                logger.warning("leases could not be prolonged", exc_info=True)
