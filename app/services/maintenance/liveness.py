"""Does this daemon still take messages? It calls itself through its own queue and listens for the call."""

import threading
from collections.abc import Callable


class ConsumerLiveness:
    """What a daemon knows about its own consuming; called from several threads.

    A daemon is deaf when the broker took its calls, nothing came back for ``deaf_seconds``, and it had room for more
    work all the while. A broker that is away makes nobody deaf: the time counts from the first call that it took.
    """

    def __init__(self, *, deaf_seconds: float, monotonic: Callable[[], float]) -> None:
        self._deaf_seconds = deaf_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._heard_at: float | None = None
        self._called_at: float | None = None
        """When the first call was made that nothing answered yet."""

    def note_heard(self) -> None:
        """Note that a message came, or that there is no room for one."""
        with self._lock:
            self._heard_at = self._monotonic()
            self._called_at = None

    def note_called(self, *, was_taken: bool) -> None:
        """Note a call, and whether the broker took it."""
        with self._lock:
            if not was_taken:
                self._called_at = None
            elif self._called_at is None:
                self._called_at = self._monotonic()

    @property
    def silent_seconds(self) -> float | None:
        """How long ago the last message came; None before the first."""
        with self._lock:
            return None if self._heard_at is None else self._monotonic() - self._heard_at

    @property
    def is_stalled(self) -> bool:
        """Whether calls are taken by the broker and do not arrive."""
        with self._lock:
            return self._called_at is not None and self._monotonic() - self._called_at >= self._deaf_seconds
