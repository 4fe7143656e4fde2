"""The daemon's own bootstep: one thread that shows a pulse, and one that sweeps if this daemon leads."""

from collections.abc import Mapping
from typing import Any

from celery import Celery, bootsteps

from app.engine.json_types import JsonObject
from workers import heartbeat
from workers.periodic import PeriodicThread
from workers.runtime import identity, services

_told_failing: dict[str, JsonObject] = {}


class DutiesStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts a daemon's duties with the worker and stops them first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: object) -> None:
        super().__init__(worker, **options)
        self._sweeping = PeriodicThread("sweeper", sweep, seconds=lambda: services().settings.sweep_seconds)
        self._heartbeat = PeriodicThread("pulse", heartbeat.show, seconds=lambda: services().settings.heartbeat_seconds)

    def start(self, worker: Any) -> None:
        """Start the duties."""
        heartbeat.join(worker)
        self._sweeping.start()
        self._heartbeat.start()

    def stop(self, worker: Any) -> None:
        """Stop the duties and let go of the lead."""
        self._sweeping.stop(timeout=2)
        # What was marked as rung should be.
        services().sweeper.wait(2.0)
        self._heartbeat.stop(timeout=1)
        services().leadership.resign()

    terminate = stop


def sweep() -> None:
    """Sweep, if this daemon leads, and tell which of its duties fail."""
    leads = services().leadership.is_held()
    try:
        if leads:
            services().sweeper.sweep()
    finally:
        _tell_failing(services().sweeper.faults if leads else {})


def _tell_failing(faults: Mapping[str, JsonObject]) -> None:
    """Write down which duties fail, where ``/healthz`` finds it, when that has changed."""
    if faults != _told_failing:
        services().daemons.note_failing(identity().id, faults)
        _told_failing.clear()
        _told_failing.update(faults)


def install(app: Celery) -> None:
    """Add the step to the worker."""
    app.steps["worker"].add(DutiesStep)
