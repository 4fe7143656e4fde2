"""The queues beside those of daemon groups: one of each daemon for calls to itself, one for reports of all."""

from typing import Final

from kombu import Exchange, Queue

_UNUSED_QUEUE_SECONDS: Final = 600

HEARTBEATS: Final = Queue("daemon-pulses", Exchange(""), routing_key="daemon-pulses")
"""Reports of daemons, which the leader reads."""


def build_daemon_queue(daemon_id: str) -> Queue:
    """Return the queue of one daemon; the broker drops it when it is unused."""
    name = f"daemon.{daemon_id}"
    return Queue(name, Exchange(""), routing_key=name, expires=_UNUSED_QUEUE_SECONDS)
