"""Look at the shared rate budgets from outside, and reset them."""

from collections.abc import Callable
from typing import Final, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from app.engine.errors import BrokerUnavailableError
from app.engine.limits import constants
from app.limits.redis_budgets import KEY, SWAP
from app.services.ports import Swapped

T = TypeVar("T")

_AWAY: Final = "the rate budgets can not be reached: {}"


class RedisBudgetDesk:
    """The budgets that all processes share."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._swap = client.register_script(SWAP)

    def read(self, account_id: str) -> Swapped:
        """Return what stands there and the time; raise BrokerUnavailableError."""
        text, (seconds, micros) = self._asked(lambda: (self._client.get(KEY.format(account_id)), self._client.time()))
        current = text.decode() if isinstance(text, bytes) else ""
        return Swapped(is_done=False, current=current, now=int(seconds) + int(micros) / 1e6)

    def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Put a text in the place of the expected one, if that still stands there; raise BrokerUnavailableError."""
        done, current, seconds, micros = self._asked(
            lambda: self._swap(keys=[KEY.format(account_id)], args=[expected, text, constants.BUDGET_KEPT_SECONDS])
        )
        return Swapped(is_done=bool(done), current=current.decode(), now=int(seconds) + int(micros) / 1e6)

    def forget(self, account_id: str) -> None:
        """Remove what was learned; raise BrokerUnavailableError."""
        self._asked(lambda: self._client.delete(KEY.format(account_id)))

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except (RedisError, OSError) as error:
            raise BrokerUnavailableError(_AWAY.format(type(error).__name__)) from error
