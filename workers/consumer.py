"""Celery's consumer, which checks each message before Celery makes a task of it, and sends events many at once.

Whatever comes from the broker and is not one of Ferryman's tasks is rejected and not put back. Celery's signal
``task_rejected`` says so, and the daemon goes on.

Celery gathers a worker's events for Flower, but publishes what it has on the next turn of its loop, which mostly is one
event: a twelfth of all that a daemon does for a small run (docs/performance.md). Here they leave a few times a second.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from celery import Celery, bootsteps, signals
from celery.worker.consumer import Consumer

from app.broker import task_messages

logger = logging.getLogger(__name__)

EVENT_SECONDS: Final = 0.1
"""How long events are gathered."""


class UnusableMessageError(ValueError):
    """A message is none of Ferryman's; its text says why and repeats nothing of it."""


class CheckingConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Consumes Ferryman's tasks alone."""

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """Return what handles each message."""
        handle = super().create_task_handler(*args, **options)
        signer = task_messages.read_signer()
        passing = (*self.connection_errors, *self.connection.channel_errors)

        def on_message(message: Any) -> None:
            if fault := task_messages.find_fault(message, signer):
                self._drop(message, fault)
                return
            try:
                handle(message)
            except passing:
                raise
            except Exception:
                logger.exception("a message broke what handles it")
                self._drop(message, "an exception")

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop what kombu can not read."""
        self._drop(message, "unreadable")

    def on_unknown_message(self, body: object, message: Any) -> None:
        """Drop what is no task."""
        self._drop(message, "no task")

    def on_unknown_task(self, body: object, message: Any, exc: Exception) -> None:
        """Drop what names a task that this daemon does not have."""
        self._drop(message, "another task")

    def on_invalid_task(self, body: object, message: Any, exc: Exception) -> None:
        """Drop what Celery makes no task of."""
        self._drop(message, "not as Celery writes it")

    def _drop(self, message: Any, reason: str) -> None:
        if not message.acknowledged:
            message.reject_log_error(logger, self.connection_errors, requeue=False)
        signals.task_rejected.send(sender=self, message=message, exc=UnusableMessageError(reason))


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
            consumer.hub.call_later(EVENT_SECONDS, self._flush, consumer)

    def _flush(self, consumer: Any) -> None:
        self._is_due = False
        if consumer.event_dispatcher is not None:
            consumer.event_dispatcher.flush()


def install(app: Celery) -> None:
    """Send the events of every consumer so."""
    app.steps["consumer"].add(EventBatchesStep)
