"""Heartbeats through the broker: a daemon sends itself a message, and reports to the leader.

They use the broker so that fifty daemons cost Postgres no more than two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import Celery, signals
from kombu import Connection
from kombu.exceptions import OperationalError

from app.broker import tasks
from app.broker.queues import HEARTBEATS, build_daemon_queue
from app.broker.task_messages import is_name, read_body, read_signer
from app.engine.errors import BrokerUnavailableError
from app.services.maintenance.ports import Heartbeat

_LONGEST_SECONDS: Final = 1e9


class CeleryHeartbeats:
    """Sends calls and reports within a bounded time; raises BrokerUnavailableError otherwise."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def call(self, daemon_id: str) -> None:
        """Put a call into a daemon's own queue."""
        with self._connect() as connection:
            self._celery.send_task(
                tasks.CANARY, args=[daemon_id], queue=build_daemon_queue(daemon_id), retry=False, connection=connection
            )

    def report(self, heartbeat: Heartbeat) -> None:
        """Report to the leader."""
        body = {"daemon_id": heartbeat.daemon_id, "silent_seconds": heartbeat.silent_seconds}
        with self._connect() as connection:
            connection.Producer().publish(
                body, serializer=self._celery.conf.task_serializer, routing_key=HEARTBEATS.name, declare=[HEARTBEATS]
            )

    def collect(self, *, limit: int) -> list[Heartbeat]:
        """Take the waiting reports; anything else is dropped."""
        signer = read_signer()
        found: list[Heartbeat] = []
        with self._connect() as connection:
            queue = HEARTBEATS(connection.default_channel)
            queue.declare()
            for _ in range(limit):
                message = queue.get(no_ack=True)
                if message is None:
                    break
                heartbeat = _parse_heartbeat(read_body(message, signer))
                if heartbeat is not None:
                    found.append(heartbeat)
                else:
                    signals.task_rejected.send(sender=self, message=message, exc=UnusableReportError("no report"))
        return found

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Open a new connection: one that was idle for seconds may be dead."""
        with self._celery.connection_for_write() as connection:
            try:
                yield connection
            except (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
                raise BrokerUnavailableError from error


class UnusableReportError(ValueError):
    """A message is not a daemon's report."""


def _parse_heartbeat(body: object) -> Heartbeat | None:
    match body:
        case {"daemon_id": str(daemon_id), "silent_seconds": float() | int() as seconds} if is_name(daemon_id):
            return Heartbeat(daemon_id=daemon_id, silent_seconds=float(seconds)) if _is_duration(seconds) else None
        case {"daemon_id": str(daemon_id), **rest} if is_name(daemon_id) and rest.get("silent_seconds") is None:
            return Heartbeat(daemon_id=daemon_id, silent_seconds=None)
        case _:
            return None


def _is_duration(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value < _LONGEST_SECONDS
