"""Publish tasks by Celery's protocol, without what ``send_task`` does besides: no routes, no signals, no results.

It halves what a message costs: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from app import broker_urls
from app.broker.redis_sender import RedisSender, redis_client
from app.broker.room import BoundedSender, Sender
from app.engine.errors import FerrymanError
from app.engine.ids import new_timed_id

_PLAIN_JSON: Final = "json"
_PROBED: Final = "ferryman-probed"
"""No queue has this name for longer than a probe takes."""


def sender_of(celery: Celery) -> Sender:
    """Choose how to publish: the short way where there is one, and no more than a Redis has room for."""
    if not broker_urls.is_redis(celery.conf.broker_url):
        return TaskSender(celery)
    is_plain = celery.conf.task_serializer == _PLAIN_JSON
    return BoundedSender(RedisSender(celery) if is_plain else TaskSender(celery), redis_client(celery))


class QueueRefusedError(FerrymanError):
    """The broker refuses one queue: it was declared otherwise, or may not be written to."""


class TaskSender:
    """Publishes by kombu, to any broker and signed where a key says so."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        connection = celery.connection_for_write()
        # Redis makes a queue of whatever is pushed; RabbitMQ would drop what has no queue yet.
        self._declares = broker_urls.is_rabbitmq(celery.conf.broker_url)
        self._faults = (*connection.connection_errors, *connection.channel_errors)
        # What ends a channel of RabbitMQ is about the one queue that was asked for.
        self._refusals = tuple(connection.channel_errors) if self._declares else ()

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when the broker did not take it.

        Raise QueueRefusedError where it takes others.
        """
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
        """Publish what nobody reads: RabbitMQ drops what has no queue, Redis keeps it until it is purged."""
        try:
            with self._celery.producer_pool.acquire(block=True) as producer:
                producer.publish({}, exchange="", routing_key=_PROBED, serializer=self._celery.conf.task_serializer)
                if not self._declares:
                    producer.channel.queue_purge(_PROBED)
        except self._faults as error:
            raise OperationalError(str(error)) from error
