"""Lets a daemon outlive the loss of Redis.

Celery answers a lost connection by giving it up and then closing its channels. Kombu 5.7 closes a channel by putting
its unacknowledged messages back, for which it asks the connection that was given up for its address: an AttributeError,
which Celery does not expect and which ends the worker. As a connection error it is expected, and the worker connects
again; the messages come back by the visibility timeout and, long before, by the sweeper.
"""

from typing import Any

from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as RedisConnectionError

_connparams = Channel._connparams


def _connparams_of_living(channel: Channel, *args: Any, **options: Any) -> Any:
    if channel.connection is None or channel.connection.client is None:
        raise RedisConnectionError("the connection was given up")
    return _connparams(channel, *args, **options)


def install() -> None:
    """Turn the AttributeError into a connection error."""
    Channel._connparams = _connparams_of_living
