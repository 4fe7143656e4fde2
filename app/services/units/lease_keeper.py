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
from typing import Final, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 2.5
_PAUSES_PER_LEASE: Final = 6


class Lease(Protocol):
    """A claim on something, by which its lease is prolonged."""

    @property
    def unit_id(self) -> str:
        """What is leased."""

    @property
    def fencing_token(self) -> int:
        """The number of the lease."""


L = TypeVar("L", bound=Lease)
L_contra = TypeVar("L_contra", bound=Lease, contravariant=True)


class Leases(Protocol[L_contra]):
    """Keeps leases."""

    def keep(self, claim: L_contra, *, lease_seconds: float) -> bool:
        """Prolong a lease unless somebody has locked its row; False when it is gone."""


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
        units: Leases[L],
        *,
        lease_seconds: float,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units = units
        self._lease_seconds = lease_seconds
        self._pause = pause
        self._monotonic = monotonic
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, lease_seconds / _PAUSES_PER_LEASE)
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], _Kept[L]] = {}
        """What is kept, by unit and token."""
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
            self._kept[_build_key(claim)] = _Kept(claim, self._monotonic(), on_lost)
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name=self.THREAD, daemon=True).start()

    def release(self, claim: L) -> None:
        """Keep a unit's lease no longer."""
        with self._lock:
            self._kept.pop(_build_key(claim), None)

    def prolong_due(self) -> None:
        """Prolong the leases that were not for a while; one that is gone is kept no longer."""
        now = self._monotonic()
        with self._lock:
            due = [kept for kept in self._kept.values() if now >= kept.since + self._pause_seconds]
        for kept in due:
            is_held = self._units.keep(kept.claim, lease_seconds=self._lease_seconds)
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


def _build_key(claim: Lease) -> tuple[str, int]:
    return (claim.unit_id, claim.fencing_token)
