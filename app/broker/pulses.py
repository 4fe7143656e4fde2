"""Signs of life through the broker: a daemon calls itself, and reports to whoever leads.

They go this way and not to Postgres, so that fifty daemons cost it no more than two do.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from app.broker import tasks
from app.broker.queues import PULSES, own_queue
from app.engine.errors import BrokerUnavailableError
from app.engine.json_types import JSON
from app.services.roll_call import Pulse


class CeleryPulses:
    """Calls and reports as short messages, sent within a bounded time or not at all; raises BrokerUnavailableError."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def call(self, daemon_id: str) -> None:
        """Put a call into a daemon's own queue."""
        with self._connected() as connection:
            self._celery.send_task(
                tasks.CANARY, args=[daemon_id], queue=own_queue(daemon_id), retry=False, connection=connection
            )

    def report(self, pulse: Pulse) -> None:
        """Report to the leader."""
        body = {"daemon_id": pulse.daemon_id, "silent_seconds": pulse.silent_seconds}
        with self._connected() as connection:
            connection.Producer().publish(body, serializer="json", routing_key=PULSES.name, declare=[PULSES])

    def collect(self, *, limit: int) -> list[Pulse]:
        """Take the reports that wait."""
        bodies: list[JSON] = []
        with self._connected() as connection:
            queue = PULSES(connection.default_channel)
            queue.declare()
            while len(bodies) < limit and (message := queue.get(no_ack=True)) is not None:
                bodies.append(message.payload)
        return [pulse for body in bodies if (pulse := _pulse(body)) is not None]

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Connect anew: a connection that was kept for seconds may be dead without anybody knowing."""
        with self._celery.connection_for_write() as connection:
            try:
                yield connection
            except (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
                raise BrokerUnavailableError from error


def _pulse(body: JSON) -> Pulse | None:
    match body:
        case {"daemon_id": str(daemon_id), "silent_seconds": float() | int() as seconds}:
            return Pulse(daemon_id=daemon_id, silent_seconds=float(seconds))
        case {"daemon_id": str(daemon_id)}:
            return Pulse(daemon_id=daemon_id, silent_seconds=None)
        case _:
            return None
