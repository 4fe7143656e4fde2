"""Send the events of tasks to Flower a few times a second, many at once, instead of with a message for each.

Celery gathers a worker's events, but publishes what it has on the next turn of its loop, which mostly is one event: a
twelfth of all that a daemon does for a small run (docs/performance.md).
"""

from typing import Any, Final

from celery import Celery, bootsteps

SECONDS: Final = 0.1


class EventBatchesStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Makes the consumer's event dispatcher wait for more."""

    requires = ("celery.worker.consumer.events:Events",)

    def __init__(self, consumer: Any, **options: object) -> None:
        super().__init__(consumer, **options)
        self._is_due = False

    def start(self, consumer: Any) -> None:
        """Wait from now on; called anew after each lost connection, which ends the dispatcher and all timers."""
        self._is_due = False
        if consumer.hub is not None:
            consumer.event_dispatcher.on_send_buffered = lambda: self._schedule_flush(consumer)

    def stop(self, consumer: Any) -> None:
        """Leave what was gathered in the last moment: to publish it could wait for a broker that is away."""

    def _schedule_flush(self, consumer: Any) -> None:
        # From any thread. What was gathered before the timer is over leaves with it.
        if not self._is_due:
            consumer.hub.call_soon(self._flush_later, consumer)

    def _flush_later(self, consumer: Any) -> None:
        # On the loop, whose timers no other thread may touch.
        if not self._is_due:
            self._is_due = True
            consumer.hub.call_later(SECONDS, self._flush, consumer)

    def _flush(self, consumer: Any) -> None:
        self._is_due = False
        if consumer.event_dispatcher is not None:
            consumer.event_dispatcher.flush()


def install(app: Celery) -> None:
    """Add the step to every consumer."""
    app.steps["consumer"].add(EventBatchesStep)
