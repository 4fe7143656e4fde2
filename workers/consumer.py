"""Celery's consumer, which checks each message before Celery makes a task of it.

Whatever comes from the broker and is not one of Ferryman's tasks is rejected and not put back. Celery's signal
``task_rejected`` says so, and the daemon goes on.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery import signals
from celery.worker.consumer import Consumer

from app.broker import task_messages

logger = logging.getLogger(__name__)


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
