"""The daemon's own queue, and the call that comes through it."""

from collections.abc import Callable
from typing import Any

from celery import Celery

from app.broker import tasks
from app.broker.queues import own_queue
from workers.runtime import identity, services


def consume_own_queue(instance: Any, **_: object) -> None:
    """Let the worker consume this daemon's own queue beside those of its group."""
    instance.app.amqp.queues.select_add(own_queue(identity().id))


def build_handler(task: Any, app: Celery, consumer: Any, **_: object) -> Callable[..., None]:
    """Return a Celery strategy: it handles calls where messages come in, without a place in the pool or a log line."""

    def on_message(message: Any, body: object, ack: object, reject: object, callbacks: object, **_: object) -> None:
        message.ack_log_error(consumer.app.log.get_default_logger(), consumer.connection_errors)
        services().consumer_liveness.record_message()

    return on_message


def install(app: Celery) -> None:
    """Make the call known to the worker."""
    for name in (tasks.CANARY, *(former for former, name in tasks.FORMER.items() if name == tasks.CANARY)):
        app.task(name=name, Strategy="workers.canary:build_handler", send_events=False)(_call)


def _call(daemon_id: str) -> None:
    """Do nothing: the strategy has done all."""
