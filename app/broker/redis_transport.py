"""Kombu's transport for Redis with two of its ways changed.

Kombu 5.7 makes a client for every message that it publishes and acknowledges, which takes longer than the command
itself. A client is safe to share: it takes a connection from the channel's pool for each command.

Celery answers a lost connection by giving it up and then closing its channels. Kombu 5.7 closes a channel by putting
its unacknowledged messages back, for which it asks the connection that was given up for its address: an AttributeError,
which Celery does not expect and which ends the worker. As a connection error it is expected, and the worker connects
again; the messages come back by the visibility timeout and, long before, by the sweeper.
"""

from typing import Any, Final

from kombu import transport
from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError

_SCHEMES: Final = ("redis", "rediss")


class Channel(redis.Channel):  # type: ignore[misc]  # kombu has no types
    """A channel that keeps its client, and that outlives its connection."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()
        return self._kept

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the connection was given up")
        return super()._connparams(asynchronous=asynchronous)


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of ``redis:`` URLs."""

    Channel = Channel


def install() -> None:
    """Let every connection that this process makes from now on use it."""
    for scheme in _SCHEMES:
        transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
