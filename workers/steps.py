"""The daemon's own bootstep: one thread that sends heartbeats, and one that sweeps if this daemon leads."""

from collections.abc import Mapping
from typing import Any

from celery import Celery, bootsteps

from app.engine.json_types import JsonObject
from workers import heartbeat
from workers.periodic import PeriodicThread
from workers.runtime import identity, services

_recorded_failing: dict[str, JsonObject] = {}


class DutiesStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts a daemon's duties with the worker and stops them first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: object) -> None:
        super().__init__(worker, **options)
        self._sweeping = PeriodicThread("sweeper", sweep, seconds=lambda: services().settings.sweep_seconds)
        self._heartbeat = PeriodicThread(
            "heartbeat", heartbeat.beat, seconds=lambda: services().settings.heartbeat_seconds
        )

    def start(self, worker: Any) -> None:
        """Start the duties."""
        heartbeat.attach(worker)
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


def sweep() -> None:
    """Sweep, if this daemon leads, and record which of its duties fail."""
    leads = services().leadership.is_held()
    try:
        if leads:
            services().sweeper.sweep()
    finally:
        _record_failing(services().sweeper.faults if leads else {})


def _record_failing(faults: Mapping[str, JsonObject]) -> None:
    """Record which duties fail, where ``/healthz`` finds it, when that has changed."""
    if faults != _recorded_failing:
        services().daemons.record_failing(identity().id, faults)
        _recorded_failing.clear()
        _recorded_failing.update(faults)


def install(app: Celery) -> None:
    """Add the step to the worker."""
    app.steps["worker"].add(DutiesStep)
