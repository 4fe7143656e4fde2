"""The queues beside those of daemon groups: one that each daemon calls itself through, one that all report to."""

from typing import Final

from kombu import Exchange, Queue

_UNUSED_QUEUE_SECONDS: Final = 600

HEARTBEATS: Final = Queue("daemon-pulses", Exchange(""), routing_key="daemon-pulses")
"""What daemons report; the leader reads it."""


def own_queue(daemon_id: str) -> Queue:
    """Describe the queue of one daemon alone; the broker drops it once its daemon is gone."""
    name = f"daemon.{daemon_id}"
    return Queue(name, Exchange(""), routing_key=name, expires=_UNUSED_QUEUE_SECONDS)
