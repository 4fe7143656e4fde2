"""Publish tasks to Redis by one ``LPUSH`` each, in kombu's envelope, past what kombu and Celery do to write it.

Of a ``POST /sync-job-run`` a quarter went into its message, and a tenth is left (docs/performance.md). Messages in this
form wait in a Redis while a new release is started, so neither library can change it lightly; a test compares each part
with what the two write.
"""

import base64
from typing import Final
from uuid import uuid4

import orjson
from celery import Celery
from celery.utils.nodenames import anon_nodename
from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from app import broker_urls
from app.engine.ids import new_timed_id
from app.engine.json_types import JsonObject

_PERSISTENT: Final = 2
# A connection that was kept may be dead: the second try makes a new one. A Redis that is silent is not asked twice.
_ONCE_MORE: Final = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
_PROBED: Final = "probed"
_OPTIONS: Final = ("socket_timeout", "socket_connect_timeout", "health_check_interval")


def redis_client(celery: Celery) -> "Redis":
    """Make a client of the Redis that is an application's broker, which waits no longer than that does."""
    options = celery.conf.broker_transport_options
    return Redis(
        **broker_urls.build_redis_arguments(celery.conf.broker_url, celery.conf.broker_use_ssl or None),
        retry=_ONCE_MORE,
        **{name: options[name] for name in _OPTIONS if name in options},
    )


class RedisSender:
    """Publishes unsigned tasks to the queues of a Redis; safe to use from several threads."""

    def __init__(self, celery: Celery) -> None:
        transport = celery.conf.broker_transport_options
        self._prefix = transport.get("global_keyprefix", "")
        self._origin = anon_nodename()
        self._client = redis_client(celery)

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when Redis did not take it."""
        try:
            self._client.lpush(self._prefix + queue, self._message(task, args, queue))
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error

    def probe(self) -> None:
        """Push what nobody reads and take it away at once; raise kombu's OperationalError when it was not taken."""
        try:
            with self._client.pipeline(transaction=True) as both:
                both.lpush(self._prefix + _PROBED, b"")
                both.ltrim(self._prefix + _PROBED, 1, 0)
                both.execute()
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error

    def _message(self, task: str, args: list[str], queue: str) -> bytes:
        task_id = new_timed_id()
        embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        message: JsonObject = {
            "body": base64.b64encode(orjson.dumps([args, {}, embed])).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": self._headers(task_id, task, args),
            "properties": {
                "correlation_id": task_id,
                "reply_to": "",
                "delivery_mode": _PERSISTENT,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
        return orjson.dumps(message)

    def _headers(self, task_id: str, task: str, args: list[str]) -> JsonObject:
        """Write https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2."""
        return {
            "lang": "py",
            "task": task,
            "id": task_id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": task_id,
            "parent_id": None,
            "argsrepr": repr(args),
            "kwargsrepr": "{}",
            "origin": self._origin,
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        }
