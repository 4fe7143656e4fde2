"""The daemon's own bootstep: one thread that sends heartbeats, and one that sweeps if this daemon leads."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery, bootsteps
from celery.worker import state

from app.engine.json_types import JsonObject
from workers.heartbeat import HeartbeatSender
from workers.runtime import identity, services

logger = logging.getLogger(__name__)


class PeriodicThread:
    """A thread that calls a function every so many seconds, whether or not the calls fail."""

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
        """Stop, and wait so long at most for a call that is under way."""
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


class DutiesStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts a daemon's duties with the worker and stops them first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: object) -> None:
        super().__init__(worker, **options)
        self._sender = HeartbeatSender()
        self._recorded_failing: Mapping[str, JsonObject] = {}
        self._sweeping = PeriodicThread("sweeper", self._sweep, seconds=lambda: services().settings.sweep_seconds)
        self._heartbeat = PeriodicThread(
            "heartbeat", self._sender.beat, seconds=lambda: services().settings.heartbeat_seconds
        )

    def start(self, worker: Any) -> None:
        """Start the duties."""
        self._sender.slots = worker.concurrency
        services().fairness.has_idle_worker = lambda: len(state.reserved_requests) < worker.concurrency
        self._sweeping.start()
        self._heartbeat.start()

    def stop(self, worker: Any) -> None:
        """Stop the duties and resign from the lead."""
        self._sweeping.stop(timeout=2)
        # What was marked as dispatched should be.
        services().sweeper.wait(2.0)
        self._heartbeat.stop(timeout=1)
        services().leadership.resign()

    terminate = stop

    def _sweep(self) -> None:
        """Sweep, if this daemon leads, and record which of its duties fail."""
        leads = services().leadership.is_held()
        try:
            if leads:
                services().sweeper.sweep()
        finally:
            self._record_failing(services().sweeper.faults if leads else {})

    def _record_failing(self, faults: Mapping[str, JsonObject]) -> None:
        """Record which duties fail, where ``/healthz`` finds it, when that has changed."""
        if faults != self._recorded_failing:
            services().daemons.record_failing(identity().id, faults)
            self._recorded_failing = dict(faults)


def install(app: Celery) -> None:
    """Add the step to the worker."""
    app.steps["worker"].add(DutiesStep)
