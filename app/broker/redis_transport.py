"""Kombu's transport for Redis with three of its ways changed.

Kombu 5.7 makes a client for every message that it publishes and acknowledges, which takes longer than the command
itself. A client is safe to share: it takes a connection from the channel's pool for each command.

Celery answers a lost connection by giving it up and then closing its channels. Kombu 5.7 closes a channel by putting
its unacknowledged messages back, for which it asks the connection that was given up for its address: an AttributeError,
which Celery does not expect and which ends the worker. As a connection error it is expected, and the worker connects
again; the messages come back by the visibility timeout and, long before, by the sweeper.

Kombu believes whatever lies in a queue to be a message. What is none (``envelopes``) is dropped here, for good, and
told by Celery's signal ``task_rejected``.
"""

from typing import Any, Final

from celery import signals
from kombu import transport
from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.broker import envelopes
from app.broker.envelopes import MalformedEnvelopeError

_SCHEMES: Final = ("redis", "rediss")


class QoS(redis.QoS):  # type: ignore[misc]  # kombu has no types
    """The messages that wait for their acknowledgement, among which others may write too."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its queue; drop what is none, which would be tried for ever."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError) as error:
            _tell(error)
            self._remove_from_indices(tag).execute()


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that keeps its client, that outlives its connection, and that takes nothing for a message unseen."""

    QoS = QoS
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

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except MalformedEnvelopeError as error:
            _tell(error)
            return True

    def _get(self, queue: str) -> Any:
        while True:
            try:
                return _checked(super()._get(queue))
            except MalformedEnvelopeError as error:
                _tell(error)

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        try:
            super()._restore(message, leftmost)
        except (ValueError, TypeError) as error:
            _tell(error)

    def _do_restore_message(self, payload: Any, *place: Any, **options: Any) -> None:
        super()._do_restore_message(_checked(payload), *place, **options)


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of ``redis:`` URLs."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        if fault := envelopes.fault(message):
            _tell(MalformedEnvelopeError(fault))
            return
        super()._deliver(message, queue)


def install() -> None:
    """Let every connection that this process makes from now on use it."""
    for scheme in _SCHEMES:
        transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    # Kombu's own reader follows any nesting and any size, and makes objects of what says that it is one.
    redis.loads = envelopes.read


def _checked(envelope: Any) -> Any:
    if fault := envelopes.fault(envelope):
        raise MalformedEnvelopeError(fault)
    return envelope


def _tell(error: Exception) -> None:
    signals.task_rejected.send(sender=__name__, message=None, exc=error)
