"""The daemon's own queue, and the call that comes through it."""

from collections.abc import Callable
from typing import Any

from celery import Celery

from app.broker import tasks
from app.broker.queues import build_daemon_queue
from workers.runtime import identity, services


def listen(instance: Any, **_: object) -> None:
    """Let the worker consume this daemon's own queue beside those of its group."""
    instance.app.amqp.queues.select_add(build_daemon_queue(identity().id))


def hear(task: Any, app: Celery, consumer: Any, **_: object) -> Callable[..., None]:
    """Handle calls as a Celery strategy: where messages come in, without a place in the pool or a line in the log."""

    def on_message(message: Any, body: object, ack: object, reject: object, callbacks: object, **_: object) -> None:
        message.ack_log_error(consumer.app.log.get_default_logger(), consumer.connection_errors)
        services().consumer_liveness.record_message()

    return on_message


def install(app: Celery) -> None:
    """Make the call known to the worker."""
    for name in (tasks.CANARY, *(former for former, name in tasks.FORMER.items() if name == tasks.CANARY)):
        app.task(name=name, Strategy="workers.canary:hear", send_events=False)(_call)


def _call(daemon_id: str) -> None:
    """Do nothing: ``hear`` has done all."""
