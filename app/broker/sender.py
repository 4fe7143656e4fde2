"""Publish tasks by Celery's protocol, without the routes, signals and results of ``send_task``.

This halves the cost of a message: https://docs.celeryq.dev/en/stable/internals/protocol.html. A Redis is published to
only while it has room: a full one refuses what consumers need to take its messages, too. Its limit is ``maxmemory``;
the last fifth of it is for consumers and for what else a broker keeps.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from app import broker_urls
from app.broker.redis_sender import RedisSender, build_client
from app.engine.errors import FerrymanError
from app.engine.ids import new_timed_id

_PLAIN_JSON: Final = "json"
_PROBED: Final = "ferryman-probed"
"""The queue of probes, which exists only during a probe."""
_SHARE_OF_MESSAGES: Final = 0.8
_CHECK_SECONDS: Final = 1.0
_CHECK_MESSAGES: Final = 100
"""The memory is checked after so long or after so many messages, whichever comes first."""


class BrokerFullError(OperationalError):  # type: ignore[misc]  # kombu has no types
    """The memory of the broker that messages may use is full."""


class Sender(Protocol):
    """Publishes tasks to queues by their names."""

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when the broker does not accept it."""

    def probe(self) -> None:
        """Publish a message that nobody reads and remove it; raise kombu's OperationalError when it is not accepted."""


class QueueRefusedError(FerrymanError):
    """The broker refuses one queue: it was declared differently, or the user may not write to it."""


class TaskSender:
    """Publishes by kombu, to any broker, and signs where there is a key."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        connection = celery.connection_for_write()
        # Redis creates a queue by a push; RabbitMQ drops a message without a queue.
        self._declares = broker_urls.is_rabbitmq(celery.conf.broker_url)
        self._faults = (*connection.connection_errors, *connection.channel_errors)
        # An error of a RabbitMQ channel is about the one queue.
        self._refusals = tuple(connection.channel_errors) if self._declares else ()

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError, or QueueRefusedError where only the queue is refused."""
        message = self._celery.amqp.as_task_v2(
            new_timed_id(), task, args=args, argsrepr=repr(args), kwargsrepr="{}", ignore_result=True
        )
        try:
            with self._celery.producer_pool.acquire(block=True) as producer:
                producer.publish(
                    message.body,
                    exchange="",
                    routing_key=queue,
                    serializer=self._celery.conf.task_serializer,
                    headers=message.headers,
                    declare=[self._celery.amqp.queues[queue]] if self._declares else None,
                    **message.properties,
                )
        except self._refusals as error:
            raise QueueRefusedError(f"the broker refuses the queue '{queue}' as {type(error).__name__}") from error
        except self._faults as error:
            raise OperationalError(str(error)) from error

    def probe(self) -> None:
        """Publish a message that nobody reads: RabbitMQ drops it, and Redis keeps it until it is purged."""
        try:
            with self._celery.producer_pool.acquire(block=True) as producer:
                producer.publish({}, exchange="", routing_key=_PROBED, serializer=self._celery.conf.task_serializer)
                if not self._declares:
                    producer.channel.queue_purge(_PROBED)
        except self._faults as error:
            raise OperationalError(str(error)) from error


class BoundedSender:
    """Publishes while the broker has room; safe to use from several threads."""

    def __init__(self, sender: Sender, client: Redis, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.sender = sender
        self._client = client
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_check = 0.0
        self._sent = 0
        self._is_full = False

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when the broker is full or does not accept it."""
        if self._is_check_due():
            self._is_full = self._is_broker_full()
        if self._is_full:
            raise BrokerFullError("the broker is full")
        self.sender.send(task, args, queue=queue)

    def probe(self) -> None:
        """Publish a message that nobody reads; raise kombu's OperationalError when the broker is full or refuses it."""
        if self._is_broker_full():
            raise BrokerFullError("the broker is full")
        self.sender.probe()

    def _is_check_due(self) -> bool:
        with self._lock:
            self._sent += 1
            now = self._monotonic()
            if now < self._next_check and self._sent < _CHECK_MESSAGES:
                return False
            self._next_check, self._sent = now + _CHECK_SECONDS, 0
            return True

    def _is_broker_full(self) -> bool:
        """Whether the broker is full; False where it does not report its limit to this user, and refuses by itself."""
        try:
            memory = self._client.info("memory")
        except ResponseError:
            return False
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error
        limit = memory.get("maxmemory", 0)
        return bool(limit) and memory.get("used_memory", 0) > _SHARE_OF_MESSAGES * limit


def choose_sender(celery: Celery) -> Sender:
    """Return the sender for a broker: the short way to Redis for unsigned messages, kombu's otherwise."""
    if not broker_urls.is_redis(celery.conf.broker_url):
        return TaskSender(celery)
    is_plain = celery.conf.task_serializer == _PLAIN_JSON
    return BoundedSender(RedisSender(celery) if is_plain else TaskSender(celery), build_client(celery))
