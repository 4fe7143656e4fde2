"""Inspect queues without taking messages: whether one is empty, and when its next message was sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app import broker_urls
from app.broker.redis_sender import build_client
from app.engine.errors import BrokerUnavailableError
from app.engine.ids import read_time
from app.services.ports import QueueState

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
