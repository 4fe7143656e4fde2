"""Send one request until it is answered: through its account's gate, patient with faults that pass.

A refusal for the rate is no failure: it waits at the gate, and if that takes long the unit sleeps. Everything else that
passes is tried again with exponential backoff and full jitter, within a budget of attempts and time: a success that can
not be read among it. A fault that says for how long is waited out like a refusal, here or asleep.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, TypeVar

from app.engine.integrations.rate_limit import RateLimitConfig
from app.engine.limits import constants, retry
from app.engine.limits import headers as rate_limit_headers
from app.engine.limits.headers import RateLimitHeaders
from app.engine.record_errors import RateLimitedError, SourceError, TransientSourceError
from app.settings import Settings
from app.sources.answers import error_rules
from app.sources.exchange import faults
from app.sources.exchange.exchange import FoundError, HttpRequest, HttpResponse
from app.sources.limiter import hedging
from app.sources.limiter.gate import AccountGate, Admission

_PATIENCE_SECONDS: Final = 60.0
"""All attempts of one request and the backoff between them; waits at the gate do not count."""
_LONGEST_BACKOFF_SECONDS: Final = 10.0
_UNTOLD_WAIT_SECONDS: Final = 10.0
"""The least sleep of a unit whose upstream goes on to refuse and does not tell for how long."""

Attempt = Callable[[HttpRequest, float], Awaitable[HttpResponse]]
T = TypeVar("T")


@dataclass(slots=True)
class Sending(Generic[T]):
    """One request on its way, with what it was told and how often it failed."""

    request: HttpRequest
    endpoint: str
    gate: AccountGate
    config: RateLimitConfig
    attempt: Attempt
    settings: Settings
    read: Callable[[HttpResponse], Awaitable[T]]
    """Makes of a success what is wanted; what it raises is a fault as any other."""
    failures: int = 0
    refusals: int = 0
    spent_seconds: float = 0.0
    fault: SourceError | None = None
    """The last one that was waited out."""

    async def run(self) -> T:
        """Return what the 2xx answer reads; raise SourceError.

        RateLimitedError and TransientSourceError mean that the unit should sleep.
        """
        while True:
            passage = await self._enter()
            try:
                response = await self._pass()
                with response.held:
                    if await self._is_served(passage, response):
                        return await self.read(response)
            except SourceError as error:
                await self._back_off(error)

    async def _enter(self) -> Admission:
        try:
            return await self.gate.enter(self.endpoint)
        except RateLimitedError as limit:
            if self.fault is None:
                raise
            # Were it a refusal only, an upstream that fails with its quota used up would be asked for ever.
            raise TransientSourceError(self.fault, limit.retry_after_seconds or 0.0) from limit

    async def _pass(self) -> HttpResponse:
        """Make one attempt."""
        time = asyncio.get_running_loop().time
        begun = time()
        try:
            patience = _patience(self.request) - self.spent_seconds
            response = await self._answer(min(self.request.timeout_seconds, patience))
        except BaseException:
            self.gate.leave_unanswered()
            self.spent_seconds += time() - begun
            raise
        seconds = time() - begun - response.held.waited_seconds
        self.spent_seconds += seconds
        self.gate.throttled_warnings.answered(self.endpoint, seconds)
        self.gate.late.answered(self.endpoint, seconds)
        return replace(response, seconds=seconds)

    async def _answer(self, timeout_seconds: float) -> HttpResponse:
        """Make one request; a second one where the answer to a read is late."""
        percent = self.settings.ask_again_percent if self.request.is_repeatable else 0.0
        late_seconds = self.gate.late.late_seconds(self.endpoint, most_percent=percent)
        if late_seconds is None or late_seconds >= timeout_seconds:
            return await self.attempt(self.request, timeout_seconds)
        asked_again: list[Admission] = []

        def may_ask_again() -> bool:
            passage = self.gate.enter_again(self.endpoint)
            asked_again.extend([passage] if passage else [])
            return passage is not None

        try:
            ask = partial(self.attempt, self.request, timeout_seconds)
            response, is_second = await hedging.first_answer(
                ask, late_seconds=late_seconds, may_ask_again=may_ask_again, drop=lambda late: late.held.release()
            )
        finally:
            for _ in asked_again:
                self.gate.leave_unanswered()
        return replace(response, was_late=True) if is_second else response

    async def _is_served(self, passage: Admission, response: HttpResponse) -> bool:
        """Judge an answer, and leave the gate by it; raise SourceError for an error. What is false asks for another."""
        headers = response.plain_headers
        now = datetime.now(UTC)
        signs = rate_limit_headers.read_headers(headers, now=now, server_date=response.server_date)
        found = await self._found_error(passage, response, signs)
        status = response.status if found is None else found.status
        configured = self.config.wait_seconds(headers, response.server_date or now, status=status)
        default = self.config.default_wait_seconds
        told = signs.wait_seconds(configured, has_default=default is not None)
        is_limited = self.config.is_limited(status, headers)
        if is_limited or (status == 503 and signs.retry_after_seconds is not None):
            self.gate.leave_refused(passage, told, signs, default_seconds=default)
            self._bear_refusal(status, told)
            return False
        if status == 503:
            self.gate.leave_troubled(passage, signs)
        else:
            self.gate.leave_served(passage, signs)
        if 200 <= status < 300:
            return True
        raise faults.refused(self.request, response, found, retry_after_seconds=signs.retry_after_seconds)

    async def _found_error(
        self, passage: Admission, response: HttpResponse, signs: RateLimitHeaders
    ) -> FoundError | None:
        expression = self.request.error_expression
        if expression is None:
            return None
        try:
            return await error_rules.found(expression, self.request, response)
        except SourceError:
            self.gate.leave_served(passage, signs)
            raise

    def _bear_refusal(self, status: int, told: float | None) -> None:
        self.refusals += 1
        self.gate.throttled_warnings.refused(self.endpoint, status, told)
        wait = self.config.default_wait_seconds if told is None else told
        if wait is not None and wait >= constants.LONGEST_WAIT_IN_PLACE_SECONDS:
            raise RateLimitedError(wait, status=status)
        if self.refusals >= self.settings.request_attempts:
            raise RateLimitedError(max(self.gate.wait_seconds(), _UNTOLD_WAIT_SECONDS), status=status)

    async def _back_off(self, error: SourceError) -> None:
        """Pause before the next attempt, outside of the gate; raise the error when there is to be none."""
        self.failures += 1
        if isinstance(error, RateLimitedError) or not self._may_repeat(error):
            raise error
        told = error.retry_after_seconds or 0.0
        if told >= constants.LONGEST_WAIT_IN_PLACE_SECONDS:
            raise TransientSourceError(error, min(told, constants.LONGEST_WAIT_SECONDS)) from error
        base = self.settings.retry_base_seconds
        wait = told + retry.draw_backoff(self.failures, base, _LONGEST_BACKOFF_SECONDS, random.random)
        if self.failures >= self.settings.request_attempts or self.spent_seconds + wait >= _patience(self.request):
            raise error
        self.fault = error
        self.gate.throttled_warnings.failed(self.endpoint, error, wait)
        self.spent_seconds += wait
        await asyncio.sleep(wait)

    def _may_repeat(self, error: SourceError) -> bool:
        is_harmless = self.request.is_repeatable or error.code == "connect" or error.status == 503
        return error.retryable and is_harmless


def _patience(request: HttpRequest) -> float:
    return max(_PATIENCE_SECONDS, request.timeout_seconds)
