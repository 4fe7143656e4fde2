"""Publish tasks to Redis by one ``LPUSH`` each, in kombu's envelope, without kombu and Celery.

The message took a quarter of a ``POST /sync-job-run``, and takes a tenth this way (docs/performance.md). A test
compares each part of the envelope with what the two libraries write.
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
# An idle connection may be dead: the second attempt makes a new one. A Redis that times out is not asked twice.
_ONCE_MORE: Final = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
_PROBED: Final = "probed"
_OPTIONS: Final = ("socket_timeout", "socket_connect_timeout", "health_check_interval")


def build_client(celery: Celery) -> "Redis":
    """Return a client of the Redis that is an application's broker, with the same timeouts."""
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
        self._client = build_client(celery)

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        """Publish once; raise kombu's OperationalError when Redis does not accept it."""
        try:
            self._client.lpush(self._prefix + queue, self._build_message(task, args, queue))
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error

    def probe(self) -> None:
        """Push a message that nobody reads and remove it; raise kombu's OperationalError when that fails."""
        try:
            with self._client.pipeline(transaction=True) as both:
                both.lpush(self._prefix + _PROBED, b"")
                both.ltrim(self._prefix + _PROBED, 1, 0)
                both.execute()
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error

    def _build_message(self, task: str, args: list[str], queue: str) -> bytes:
        task_id = new_timed_id()
        embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        message: JsonObject = {
            "body": base64.b64encode(orjson.dumps([args, {}, embed])).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": self._build_headers(task_id, task, args),
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

    def _build_headers(self, task_id: str, task: str, args: list[str]) -> JsonObject:
        """Return the headers of https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2."""
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
