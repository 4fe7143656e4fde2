"""Publish to a Redis only while it has room: a full one refuses what consumers need to take its messages, too.

Its limit is ``maxmemory``; the last fifth of it is for consumers and for what else a broker keeps.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

_SHARE_OF_MESSAGES: Final = 0.8
_LOOK_SECONDS: Final = 1.0
_LOOK_MESSAGES: Final = 100
"""A look is made after so long, or after so many messages, whichever comes first."""


class BrokerFullError(OperationalError):  # type: ignore[misc]  # kombu has no types
    """The broker has used up the memory that messages may take."""


class Sender(Protocol):
    """Publishes tasks to queues by their names."""

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when the broker did not take it."""

    def probe(self) -> None:
        """Publish what nobody reads, and leave nothing; raise kombu's OperationalError when it was not taken."""


class BoundedSender:
    """Publishes as long as there is room; safe to use from several threads."""

    def __init__(self, sender: Sender, client: Redis, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.sender = sender
        self._client = client
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._sent = 0
        self._is_full = False

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when the broker did not take it, or is full."""
        if self._is_time_to_look():
            self._is_full = self._look()
        if self._is_full:
            raise BrokerFullError("the broker is full")
        self.sender.send(task, args, queue=queue)

    def probe(self) -> None:
        """Publish what nobody reads; raise kombu's OperationalError when it was not taken, or nothing else would be."""
        if self._look():
            raise BrokerFullError("the broker is full")
        self.sender.probe()

    def _is_time_to_look(self) -> bool:
        with self._lock:
            self._sent += 1
            now = self._monotonic()
            if now < self._next_look and self._sent < _LOOK_MESSAGES:
                return False
            self._next_look, self._sent = now + _LOOK_SECONDS, 0
            return True

    def _look(self) -> bool:
        """Whether it is full; one that does not tell its limit, or not to this user, has to refuse by itself."""
        try:
            memory = self._client.info("memory")
        except ResponseError:
            return False
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error
        limit = memory.get("maxmemory", 0)
        return bool(limit) and memory.get("used_memory", 0) > _SHARE_OF_MESSAGES * limit
