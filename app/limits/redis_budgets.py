"""Rate budgets in Redis, which all processes share."""

import logging
import time
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app import broker_urls
from app.engine.limits import constants
from app.services.ports import BudgetStore, Swapped

logger = logging.getLogger(__name__)

KEY: Final = "ferryman:budget:{}"

# Compare and set, with Redis's own clock: a process that lost the race gets the current text, and tries again.
SWAP: Final = """
local current = redis.call('GET', KEYS[1]) or ''
local time = redis.call('TIME')
local done = current == ARGV[1]
if done then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return {done and 1 or 0, done and '' or current, time[1], time[2]}
"""


class RedisBudgets:
    """Budgets that all processes share; while Redis is away each process keeps its own."""

    def __init__(self, client: Redis, build_local: Callable[[], BudgetStore]) -> None:
        """``build_local`` returns a store of this process alone, which is dropped once Redis is back."""
        self._client = client
        self._swap = client.register_script(SWAP)
        self._build_local = build_local
        self._meanwhile = build_local()
        self._away_until = 0.0

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Replace the expected text, if it is still there."""
        if time.monotonic() < self._away_until:
            return await self._meanwhile.swap(account_id, expected=expected, text=text)
        try:
            done, current, seconds, micros = await self._swap(
                keys=[KEY.format(account_id)], args=[expected, text, constants.BUDGET_KEPT_SECONDS]
            )
        except (RedisError, OSError) as error:
            if self._away_until == 0.0:
                logger.warning("rate budgets are not shared: Redis is away", extra={"reason": type(error).__name__})
            self._away_until = time.monotonic() + constants.BUDGET_AWAY_SECONDS
            return await self._meanwhile.swap(account_id, expected=expected, text=text)
        if self._away_until:
            self._away_until = 0.0
            self._meanwhile = self._build_local()
            logger.info("rate budgets are shared again")
        return Swapped(is_done=bool(done), current=current.decode(), now=int(seconds) + int(micros) / 1e6)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def build_client(url: str) -> Redis:
    """Return a client for a broker's URL; it connects at its first use."""
    return Redis(
        **broker_urls.build_redis_arguments(url),
        socket_timeout=constants.BUDGET_TIMEOUT_SECONDS,
        socket_connect_timeout=constants.BUDGET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
