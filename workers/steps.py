"""The daemon's own bootstep: one thread that shows a pulse, and one that sweeps if this daemon leads."""

from typing import Any

from celery import Celery, bootsteps

from workers import pulse
from workers.rhythm import Rhythm
from workers.runtime import services


class DutiesStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts a daemon's duties with the worker and stops them first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: object) -> None:
        super().__init__(worker, **options)
        self._sweeping = Rhythm("sweeper", sweep, seconds=lambda: services().settings.sweep_seconds)
        self._pulse = Rhythm("pulse", pulse.show, seconds=lambda: services().settings.heartbeat_seconds)

    def start(self, worker: Any) -> None:
        """Start the duties."""
        pulse.join(worker)
        self._sweeping.start()
        self._pulse.start()

    def stop(self, worker: Any) -> None:
        """Stop the duties and let go of the lead."""
        self._sweeping.stop(timeout=4)
        self._pulse.stop(timeout=1)
        services().leadership.resign()

    terminate = stop


def sweep() -> None:
    """Sweep, if this daemon leads."""
    if services().leadership.is_held():
        services().sweeper.sweep()


def install(app: Celery) -> None:
    """Add the step to the worker."""
    app.steps["worker"].add(DutiesStep)
