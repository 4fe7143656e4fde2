"""The daemon's own bootstep: a thread that reports this daemon's pulse and, in the leader, sweeps."""

import logging
import threading
import time
from typing import Any

from celery import Celery, bootsteps

from workers import pulse
from workers.runtime import services

logger = logging.getLogger(__name__)


class SweeperStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts the sweeping thread with the worker and stops it first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: object) -> None:
        super().__init__(worker, **options)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ferryman-sweeper", daemon=True)

    def start(self, worker: Any) -> None:
        """Start sweeping."""
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """Stop sweeping and let go of the lead."""
        self._stop.set()
        self._thread.join(timeout=5)
        services().leadership.resign()

    terminate = stop

    def _run(self) -> None:
        next_report = 0.0
        while not self._stop.wait(services().settings.sweep_seconds):
            try:
                if time.monotonic() >= next_report:
                    pulse.report()
                    next_report = time.monotonic() + services().settings.heartbeat_seconds
                if services().leadership.is_held():
                    services().sweeper.sweep()
            except Exception as error:
                # Postgres or the broker is away: the next round tries again.
                logger.warning("the sweep failed", extra={"reason": type(error).__name__}, exc_info=True)


def install(app: Celery) -> None:
    """Add the step to the worker."""
    app.steps["worker"].add(SweeperStep)
