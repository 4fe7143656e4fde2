"""Kombu's transport for Redis with three changes.

Kombu 5.7 makes a client for every message that it publishes and acknowledges, which takes longer than the command
itself. A client is safe to share: it takes a connection from the channel's pool for each command.

Celery handles a lost connection by dropping it and then closing its channels. Kombu 5.7 closes a channel by restoring
its unacknowledged messages, for which it reads the address of the dropped connection: an AttributeError, which Celery
does not handle and which ends the worker. A connection error is handled, and the worker connects again; the messages
are restored by the visibility timeout and, long before, sent again by the sweeper.

Kombu does not validate the elements of a queue. Those that are no message (``envelopes``) are dropped here for good,
and reported by Celery's signal ``task_rejected``.
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
    """The unacknowledged messages, which lie in Redis, where others may write."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Restore a message to its queue; drop what is no message, which would be retried for ever."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError) as error:
            _report(error)
            self._remove_from_indices(tag).execute()


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that reuses its client, survives a dropped connection, and validates messages."""

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
            _report(error)
            return True

    def _get(self, queue: str) -> Any:
        while True:
            try:
                return _check(super()._get(queue))
            except MalformedEnvelopeError as error:
                _report(error)

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        try:
            super()._restore(message, leftmost)
        except (ValueError, TypeError) as error:
            _report(error)

    def _do_restore_message(self, payload: Any, *place: Any, **options: Any) -> None:
        super()._do_restore_message(_check(payload), *place, **options)


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of ``redis:`` URLs."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        if fault := envelopes.find_fault(message):
            _report(MalformedEnvelopeError(fault))
            return
        super()._deliver(message, queue)


def install() -> None:
    """Use this transport for every later connection of this process."""
    for scheme in _SCHEMES:
        transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    # Kombu's own reader accepts any nesting and size, and makes objects of what names their type.
    redis.loads = envelopes.read


def _check(envelope: Any) -> Any:
    if fault := envelopes.find_fault(envelope):
        raise MalformedEnvelopeError(fault)
    return envelope


def _report(error: Exception) -> None:
    signals.task_rejected.send(sender=__name__, message=None, exc=error)
