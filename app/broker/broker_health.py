"""Read what a Redis broker shows of itself: memory, policy, clock."""

import time

from celery import Celery
from redis.exceptions import RedisError

from app import broker_urls
from app.broker.redis_sender import build_client
from app.services.diagnosis.findings import BrokerFacts


def read_broker_facts(celery: Celery, *, is_reachable: bool) -> BrokerFacts:
    """Return the facts; of a broker that is no Redis, or does not show them, only whether it is reached."""
    if not is_reachable or not broker_urls.is_redis(celery.conf.broker_url):
        return BrokerFacts(is_reachable=is_reachable)
    client = build_client(celery)
    try:
        begun = time.time()
        seconds, microseconds = client.time()
        middle = (begun + time.time()) / 2
        memory = client.info("memory")
    except (RedisError, OSError):
        # An account that may not ask for these may still take messages.
        return BrokerFacts(is_reachable=is_reachable)
    finally:
        client.close()
    return BrokerFacts(
        is_reachable=True,
        used_bytes=memory.get("used_memory"),
        most_bytes=memory.get("maxmemory") or None,
        policy=memory.get("maxmemory_policy") if memory.get("maxmemory") else None,
        skew_seconds=seconds + microseconds / 1e6 - middle,
    )
