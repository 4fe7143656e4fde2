"""Connections that are kept for the next slice: one that is not used for a while is closed.

A library's pool would resolve names and connect by itself, with threads for each destination.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from app.destinations.postgres.connection import Place
from app.destinations.postgres.tables import Connection

_IDLE_SECONDS: Final = 30.0
_MOST_OF_PLACE: Final = 4


class KeptConnections:
    """Open connections of one process that nobody uses, by place; safe to use from several threads."""

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._idle_seconds = idle_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[Place, list[tuple[float, Connection]]] = {}
        self._is_awaited = False

    def take(self, place: Place) -> Connection | None:
        """Return a connection that answers; None: there is none."""
        while True:
            with self._lock:
                _, connection = kept.pop() if (kept := self._kept.get(place)) else (0.0, None)
            if connection is None:
                return None
            with suppress(psycopg.Error):
                connection.execute("")
                return connection
            connection.close()

    def give_back(self, place: Place, connection: Connection) -> None:
        """Keep a connection, unless it is in the middle of something, or enough are kept."""
        if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            kept = self._kept.setdefault(place, [])
            is_kept = len(kept) < _MOST_OF_PLACE
            if is_kept:
                kept.append((self._monotonic(), connection))
                self._await_idle()
        if not is_kept:
            connection.close()

    def close_idle(self) -> None:
        """Close what was not used for long."""
        until = self._monotonic() - self._idle_seconds
        with self._lock:
            self._is_awaited = False
            idle = [one for kept in self._kept.values() for since, one in kept if since <= until]
            left = {place: [pair for pair in kept if pair[0] > until] for place, kept in self._kept.items()}
            self._kept = {place: kept for place, kept in left.items() if kept}
            if self._kept:
                self._await_idle()
        for connection in idle:
            connection.close()

    def _await_idle(self) -> None:
        """Look again once the one that was given back last may be idle."""
        if not self._is_awaited:
            self._is_awaited = True
            timer = threading.Timer(self._idle_seconds, self.close_idle)
            timer.daemon = True
            timer.start()
