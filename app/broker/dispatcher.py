"""Dispatch through Celery: short messages that name a row, published within a bounded time or not at all.

Queues are inspected without taking messages: whether one is empty, and when its next message was sent.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app import broker_urls, tracing
from app.broker import tasks, transport
from app.broker.redis_sender import build_client
from app.broker.sender import QueueRefusedError, choose_sender
from app.engine.errors import BrokerUnavailableError
from app.engine.ids import read_time
from app.engine.runs.work import WakeUp
from app.net.circuit import Circuit
from app.services.ports import QueueState
from app.tracing import Kind

_LARGEST_BYTES = 64 * 1024
"""Of a message whose time of sending is read."""


def choose_queues(celery: Celery) -> "RedisQueues | AmqpQueues | UnseenQueues":
    """Return what inspects the queues of an application's broker."""
    if broker_urls.is_redis(celery.conf.broker_url):
        return RedisQueues(celery)
    return AmqpQueues(celery) if broker_urls.is_rabbitmq(celery.conf.broker_url) else UnseenQueues()


class RedisQueues:
    """The lists of a Redis, whose last element is taken next."""

    def __init__(self, celery: Celery) -> None:
        options = celery.conf.broker_transport_options
        self._prefix = options.get("global_keyprefix", "")
        self._client = build_client(celery)

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Look at queues; raise BrokerUnavailableError."""
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for queue in queues:
                    pipeline.lindex(self._prefix + queue, -1)
                found = pipeline.execute()
        except (RedisError, OSError) as error:
            raise BrokerUnavailableError from error
        return {
            queue: QueueState(
                is_empty=raw is None, is_timed=True, next_sent_at=None if raw is None else _read_sent_at(raw)
            )
            for queue, raw in zip(queues, found, strict=True)
        }


class AmqpQueues:
    """The queues of a RabbitMQ, whose next message can not be inspected."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Look at queues; raise BrokerUnavailableError."""
        found = {}
        with self._celery.connection_for_write() as connection:
            passing = (OperationalError, OSError, *connection.connection_errors)
            try:
                for queue in queues:
                    found[queue] = QueueState(is_empty=_is_empty(connection, queue))
            except passing as error:
                raise BrokerUnavailableError from error
        return found


class UnseenQueues:
    """Queues of a broker that can not be inspected."""

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Return unknown states."""
        return {queue: QueueState(is_empty=False) for queue in queues}


def _is_empty(connection: Any, queue: str) -> bool:
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count) == 0
    except connection.channel_errors:
        return True  # The queue does not exist yet.


def _read_sent_at(raw: bytes) -> datetime | None:
    if len(raw) > _LARGEST_BYTES:
        return None
    try:
        match orjson.loads(raw):
            case {"headers": {"id": str(id)}}:
                return read_time(id)
            case _:
                return None
    except ValueError:
        return None


logger = logging.getLogger(__name__)

_PROBE_SECONDS = 5.0


class CeleryDispatcher:
    """Publishes to the queues of daemon groups.

    While the broker is away only one call now and then waits for its timeout; a message that is not published stays in
    the outbox, or is sent by the sweeper.
    """

    def __init__(self, celery: Celery, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._celery = celery
        self._sender = choose_sender(celery)
        self._queues = choose_queues(celery)
        self._circuit = Circuit(monotonic)

    def dispatch(self, wake_ups: Sequence[WakeUp]) -> bool:
        """Publish messages for units; False when the broker is away or full. A queue that it refuses is skipped."""
        refused: set[str] = set()
        for wake_up in wake_ups:
            if wake_up.queue in refused:
                continue
            try:
                if not self._publish(tasks.SYNC_UNIT, [wake_up.run_id, wake_up.unit_id], wake_up.queue):
                    return False
            except QueueRefusedError:
                refused.add(wake_up.queue)
        return True

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        """Publish the message that starts a run; whether the broker accepted it."""
        try:
            return self._publish(tasks.START_RUN, [run_id], queue)
        except QueueRefusedError:
            return False

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        """Publish a message that was lost; raise QueueRefusedError where the broker refuses only its queue."""
        if unit_id is None:
            return self._publish(tasks.START_RUN, [run_id], queue)
        return self._publish(tasks.SYNC_UNIT, [run_id, unit_id], queue)

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        """Publish any task by its name; raise QueueRefusedError where the broker refuses only its queue."""
        return self._publish(task, args, queue)

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Inspect queues; raise BrokerUnavailableError."""
        return self._queues.look_at(queues)

    def is_reachable(self) -> bool:
        """Whether the broker accepts messages: publish one that nobody reads."""
        try:
            self._sender.probe()
        except (OperationalError, OSError) as error:
            logger.warning("nothing can be published", extra={"reason": type(error.__cause__ or error).__name__})
            return False
        return True

    def _publish(self, task: str, args: list[str], queue: str) -> bool:
        of_run = "" if task == tasks.WRITE_DESTINATION else args[0]
        facts = {"messaging.system": "celery", "messaging.operation.name": task, "messaging.destination.name": queue}
        with tracing.span(f"send {queue}", facts, kind=Kind.PRODUCER, run_id=of_run) as span:
            is_published = self._send(task, args, queue)
            span.error = None if is_published else "broker_unavailable"
        return is_published

    def _send(self, task: str, args: list[str], queue: str) -> bool:
        if not self._circuit.can_call(probe_seconds=_PROBE_SECONDS):
            return False
        try:
            self._sender.send(task, args, queue=queue)
        except QueueRefusedError as error:
            # The broker has answered: other queues may work.
            self._circuit.record(was_taken=True)
            reason = type(error.__cause__).__name__
            logger.warning("a queue is refused by the broker", extra={"queue": queue, "reason": reason})
            raise
        except (OperationalError, OSError) as error:
            self._circuit.record(was_taken=False)
            logger.warning("the broker can not be reached", extra={"task": task, "reason": type(error).__name__})
            return False
        self._circuit.record(was_taken=True)
        return True


def build_publisher(broker_url: str, *, timeout_seconds: float) -> Celery:
    """Return the Celery application of a process that only publishes, with short timeouts."""
    celery = Celery("ferryman-publisher", set_as_current=False, amqp="app.broker.task_messages:SealingAmqp")
    celery.config_from_object("celeryconfig")
    broker = broker_urls.read(broker_url)
    celery.conf.broker_url, celery.conf.broker_use_ssl = broker.url, broker.tls or False
    celery.conf.broker_connection_timeout = timeout_seconds / 2
    celery.conf.broker_transport_options = transport.build_publisher_options(
        broker_url, timeout_seconds=timeout_seconds / 2
    )
    celery.conf.task_create_missing_queue_type = transport.queue_type(broker_url)
    return celery
