"""Send one request until it is answered: through its account's gate, patient with faults that pass.

A refusal for the rate is no failure: it waits at the gate, and if that takes long the unit sleeps. Everything else that
passes is tried again with exponential backoff and full jitter, within a budget of attempts and time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.engine import rate_signs, retry
from app.engine.errors import RateLimitedError, SourceError
from app.engine.rate_limit_config import RateLimitConfig
from app.engine.rate_signs import RateSigns
from app.settings import Settings
from app.sources import error_rules, faults
from app.sources.account_gate import LONGEST_WAIT_IN_PLACE_SECONDS, AccountGate, Passage
from app.sources.exchange import FoundError, HttpRequest, HttpResponse

_PATIENCE_SECONDS: Final = 60.0
"""All attempts of one request and the backoff between them; waits at the gate do not count."""
_LONGEST_BACKOFF_SECONDS: Final = 10.0
_UNTOLD_WAIT_SECONDS: Final = 10.0
"""The least sleep of a unit whose upstream goes on to refuse and does not tell for how long."""

Attempt = Callable[[HttpRequest, float], Awaitable[HttpResponse]]


@dataclass(slots=True)
class Sending:
    """One request on its way, with what it was told and how often it failed."""

    request: HttpRequest
    endpoint: str
    gate: AccountGate
    config: RateLimitConfig
    attempt: Attempt
    settings: Settings
    failures: int = 0
    refusals: int = 0
    spent_seconds: float = 0.0

    async def run(self) -> HttpResponse:
        """Give the 2xx answer; raise SourceError, or RateLimitedError when the unit had better sleep."""
        while True:
            passage = await self.gate.enter(self.endpoint)
            try:
                response = await self._pass(passage)
            except SourceError as error:
                await self._back_off(error)
                continue
            if response is not None:
                return response

    async def _pass(self, passage: Passage) -> HttpResponse | None:
        """Make one attempt; None asks for another."""
        time = asyncio.get_running_loop().time
        begun = time()
        try:
            patience = _patience(self.request) - self.spent_seconds
            response = await self.attempt(self.request, min(self.request.timeout_seconds, patience))
        except BaseException:
            self.gate.leave_unanswered()
            raise
        finally:
            self.spent_seconds += time() - begun
        self.gate.complaints.answered(self.endpoint, time() - begun)
        return self._judge(passage, response)

    def _judge(self, passage: Passage, response: HttpResponse) -> HttpResponse | None:
        headers = response.plain_headers
        now = datetime.now(UTC)
        signs = rate_signs.read(headers, now=now, server_date=response.server_date)
        found = self._found_error(passage, response, signs)
        status = response.status if found is None else found.status
        configured = self.config.wait_seconds(headers, response.server_date or now, status=status)
        default = self.config.default_wait_seconds
        told = signs.wait_seconds(configured, has_default=default is not None)
        is_limited = self.config.is_limited(status, headers)
        if is_limited or (status == 503 and signs.retry_after_seconds is not None):
            self.gate.leave_refused(passage, told, signs, default_seconds=default)
            self._bear_refusal(status, told)
            return None
        if status == 503:
            self.gate.leave_troubled(passage, signs)
        else:
            self.gate.leave_served(passage, signs)
        if 200 <= status < 300:
            return response
        raise faults.refused(self.request, response, found)

    def _found_error(self, passage: Passage, response: HttpResponse, signs: RateSigns) -> FoundError | None:
        expression = self.request.error_expression
        if expression is None:
            return None
        try:
            return error_rules.found(expression, self.request, response)
        except SourceError:
            self.gate.leave_served(passage, signs)
            raise

    def _bear_refusal(self, status: int, told: float | None) -> None:
        self.refusals += 1
        self.gate.complaints.refused(self.endpoint, status, told)
        wait = self.config.default_wait_seconds if told is None else told
        if wait is not None and wait >= LONGEST_WAIT_IN_PLACE_SECONDS:
            raise RateLimitedError(wait, status=status)
        if self.refusals >= self.settings.request_attempts:
            raise RateLimitedError(max(self.gate.wait_seconds(), _UNTOLD_WAIT_SECONDS), status=status)

    async def _back_off(self, error: SourceError) -> None:
        """Pause before the next attempt, outside of the gate; raise the error when there is to be none."""
        wait = self._seconds_to_retry(error)
        if wait is None or self.spent_seconds + wait >= _patience(self.request):
            raise error
        self.gate.complaints.failed(self.endpoint, error, wait)
        self.spent_seconds += wait
        await asyncio.sleep(wait)

    def _seconds_to_retry(self, error: SourceError) -> float | None:
        """Tell how long to wait before the next attempt; None when there should be none."""
        self.failures += 1
        told = error.retry_after_seconds or 0.0
        if isinstance(error, RateLimitedError) or self.failures >= self.settings.request_attempts:
            return None
        if told >= LONGEST_WAIT_IN_PLACE_SECONDS or not error.retryable:
            return None
        if not (self.request.is_repeatable or error.code == "connect" or error.status == 503):
            return None
        base = self.settings.retry_base_seconds
        return told + retry.backoff_seconds(self.failures, base, _LONGEST_BACKOFF_SECONDS, random.random)


def _patience(request: HttpRequest) -> float:
    return max(_PATIENCE_SECONDS, request.timeout_seconds)
