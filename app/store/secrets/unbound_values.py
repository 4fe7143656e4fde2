"""Whether values of the format before, which open anywhere, are still opened: until a rotation has replaced them."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from app.engine.errors import UnreadableSecretError

LOOK_SECONDS: Final = 10.0
"""So long after a rotation every process refuses them."""


class Refusal(Protocol):
    """Keeps whether a rotation has replaced all of them."""

    def refuses_unbound(self) -> bool:
        """Whether values that are bound to no place are refused."""


class UnboundValues:
    """Knows whether they may be opened. Asks only when there is one to open, seldom, and never again after a no."""

    def __init__(self, refusal: Refusal, monotonic: Callable[[], float]) -> None:
        self._refusal = refusal
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._is_refused = False
        self._looked_at = float("-inf")

    def demand(self, place: str) -> None:
        """Raise UnreadableSecretError when none may be opened any more."""
        if self._refuses():
            raise UnreadableSecretError(
                f"what is stored at '{place}' is encrypted in the format that is bound to no row, "
                "which is refused since 'ferryman keys rotate' has replaced all of it"
            )

    def _refuses(self) -> bool:
        with self._lock:
            now = self._monotonic()
            if not self._is_refused and now >= self._looked_at + LOOK_SECONDS:
                self._is_refused = self._refusal.refuses_unbound()
                self._looked_at = now
            return self._is_refused
