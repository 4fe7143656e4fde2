"""Choose where limits are kept: in Redis, or, with a broker that is none and no Redis beside it, in each process."""

import time

from app.limits import redis_requests
from app.limits.budget_desk import RedisBudgetDesk
from app.limits.local_requests import LocalRequests
from app.limits.redis_requests import RedisRequests
from app.net.circuit import Circuit
from app.services.accounts.ports import BudgetDesk
from app.services.calls.ports import TakeRequests
from app.services.calls.request_limits import RequestLimits
from app.settings import Settings


def build_request_limits(settings: Settings) -> RequestLimits:
    """Build what limits the requests of tokens and of environments."""
    return _build_limits(
        settings,
        limit=settings.token_requests,
        window_seconds=settings.token_window_seconds,
        environment_limit=settings.environment_requests,
    )


def build_call_limits(settings: Settings) -> RequestLimits:
    """Build what limits the direct calls of accounts."""
    return _build_limits(settings, limit=settings.calls_per_account, window_seconds=settings.calls_window_seconds)


def build_budget_desk(settings: Settings) -> BudgetDesk | None:
    """Build what looks at the shared rate budgets; None where each process has its own."""
    url = settings.budget_url or settings.broker_url
    if not url.startswith(("redis", "unix")):
        return None
    return RedisBudgetDesk(redis_requests.build_client(url))


def _build_limits(
    settings: Settings, *, limit: int, window_seconds: float, environment_limit: int = 0
) -> RequestLimits:
    return RequestLimits(
        _choose_counts(settings, window_seconds),
        limit=limit,
        window_seconds=window_seconds,
        monotonic=time.monotonic,
        environment_limit=environment_limit,
    )


def _choose_counts(settings: Settings, window_seconds: float) -> TakeRequests:
    local = LocalRequests(window_seconds=window_seconds, monotonic=time.monotonic)
    url = settings.budget_url or settings.broker_url
    if not url.startswith(("redis", "unix")):
        return local.take
    return RedisRequests(
        redis_requests.build_client(url),
        window_seconds=window_seconds,
        breaker=Circuit(time.monotonic),
        meanwhile=local.take,
    ).take
