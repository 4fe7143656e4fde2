"""Do something again and again in a thread of its own, as long as the worker runs."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class PeriodicThread:
    """A thread that does one thing every so many seconds, whatever becomes of it."""

    def __init__(self, name: str, do: Callable[[], None], *, seconds: Callable[[], float]) -> None:
        self._name = name
        self._do = do
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ferryman-{name}", daemon=True)

    def start(self) -> None:
        """Begin; the first time comes after a pause."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Do it no more, and wait for what is under way for so long at most."""
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds()):
            try:
                self._do()
            except Exception as error:
                # Postgres or the broker is away: the next time tries again.
                facts = {"duty": self._name, "reason": type(error).__name__}
                logger.warning("a duty failed", extra=facts, exc_info=True)
