"""Counts of tokens' requests in Redis, which all API processes share."""

import logging
from collections.abc import Mapping
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app import broker_urls
from app.engine.limits import constants
from app.net.circuit import Circuit
from app.services.calls.ports import TakeRequests, Window

logger = logging.getLogger(__name__)

_KEY: Final = "ferryman:requests:{}"

# A window begins with its first request, by Redis's own clock.
_TAKE: Final = """
local taken = {}
for index, key in ipairs(KEYS) do
    local used = redis.call('INCRBY', key, ARGV[index + 1])
    local left = redis.call('PTTL', key)
    if left < 0 then
        redis.call('PEXPIRE', key, ARGV[1])
        left = tonumber(ARGV[1])
    end
    taken[index] = {used, left}
end
return taken
"""


class RedisRequests:
    """Counts that all processes share; while Redis is away each one counts alone."""

    def __init__(self, client: Redis, *, window_seconds: float, breaker: Circuit, meanwhile: TakeRequests) -> None:
        self._take = client.register_script(_TAKE)
        self._milliseconds = max(1, round(window_seconds * 1000))
        self._breaker = breaker
        self._meanwhile = meanwhile
        self._is_away = False

    def take(self, requests: Mapping[str, int]) -> Mapping[str, Window]:
        """Count requests in each key's window, in one round trip."""
        if not self._breaker.can_call(probe_seconds=constants.REQUESTS_PROBE_SECONDS):
            return self._meanwhile(requests)
        keys = [_KEY.format(key) for key in requests]
        try:
            taken = self._take(keys=keys, args=[self._milliseconds, *requests.values()])
        except (RedisError, OSError) as error:
            self._breaker.note(was_taken=False)
            if not self._is_away:
                logger.warning(
                    "requests are not counted together: Redis is away", extra={"reason": type(error).__name__}
                )
            self._is_away = True
            return self._meanwhile(requests)
        self._breaker.note(was_taken=True)
        if self._is_away:
            self._is_away = False
            logger.info("requests are counted together again")
        return {key: Window(int(used), int(left) / 1000) for key, (used, left) in zip(requests, taken, strict=True)}


def build_client(url: str) -> Redis:
    """Return a client for a broker's URL; it connects at its first use."""
    return Redis(
        **broker_urls.build_redis_arguments(url),
        socket_timeout=constants.REQUESTS_TIMEOUT_SECONDS,
        socket_connect_timeout=constants.REQUESTS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
