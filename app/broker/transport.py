"""Celery's options for the broker of a URL: Redis, or RabbitMQ with quorum queues."""

from app import broker_urls
from app.engine.json_types import JsonObject

_REDIS: JsonObject = {
    "global_keyprefix": "ferryman:",
    # Far above the longest task (a slice), so that a task that still runs is not delivered again.
    "visibility_timeout": 900,
    # An orphaned message is restored after about 5 s, not 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

# A publish counts once the queue's majority has it on disk.
_RABBITMQ: JsonObject = {"confirm_publish": True}


def build_options(broker_url: str) -> JsonObject:
    """Return the transport's options for a process that consumes."""
    return dict(_RABBITMQ if broker_urls.is_rabbitmq(broker_url) else _REDIS)


def build_publisher_options(broker_url: str, *, timeout_seconds: float) -> JsonObject:
    """Return the transport's options for a process that only publishes, with short timeouts."""
    if broker_urls.is_rabbitmq(broker_url):
        limits = {"read_timeout": timeout_seconds, "write_timeout": timeout_seconds}
    else:
        limits = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds}
    return {**build_options(broker_url), **limits, "max_retries": 0}


def queue_type(broker_url: str) -> str | None:
    """Return the type of the queues of daemon groups, which all processes declare."""
    return "quorum" if broker_urls.is_rabbitmq(broker_url) else None
