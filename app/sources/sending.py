"""Send one request until it is answered, through its account's gate, and retry what may pass.

A refusal for the rate is no failure: the request waits at the gate, and if that takes long the unit sleeps. Any other
transient error, a success that can not be read among them, is retried with exponential backoff and full jitter, within
a budget of attempts and time. An error that says how long to wait is waited for like a refusal, here or asleep.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, TypeVar

from app import meters
from app.engine.integrations.rate_limit import RateLimitConfig
from app.engine.limits import constants, retry
from app.engine.limits import headers as rate_limit_headers
from app.engine.limits.constants import LONGEST_WAIT_IN_PLACE_SECONDS
from app.engine.limits.headers import RateLimitHeaders
from app.engine.record_errors import RateLimitedError, SourceError, TransientSourceError
from app.settings import Settings
from app.sources import request_spans
from app.sources.answers import error_rules
from app.sources.exchange import faults
from app.sources.exchange.exchange import FoundError, HttpRequest, HttpResponse
from app.sources.limiter import hedging
from app.sources.limiter.gate import AccountGate
from app.sources.limiter.gate_state import Admission

_PATIENCE_SECONDS: Final = 60.0
"""All attempts of one request and the backoff between them; waits at the gate do not count."""
_LONGEST_BACKOFF_SECONDS: Final = 10.0
_LEAST_SLEEP_SECONDS: Final = 10.0
"""The least sleep of a unit whose upstream keeps refusing and does not say for how long."""

Attempt = Callable[[HttpRequest, float], Awaitable[HttpResponse]]
T = TypeVar("T")


@dataclass(slots=True)
class Sending(Generic[T]):
    """One request on its way, with its failures and refusals."""

    request: HttpRequest
    endpoint: str
    gate: AccountGate
    integration: str
    config: RateLimitConfig
    attempt: Attempt
    settings: Settings
    read: Callable[[HttpResponse], Awaitable[T]]
    """Reads a success; an error that it raises counts like any other."""
    failures: int = 0
    refusals: int = 0
    spent_seconds: float = 0.0
    failure: SourceError | None = None
    """The last error that was retried."""

    async def run(self) -> T:
        """Return what the 2xx answer reads; raise SourceError, of which RateLimitedError and PassingFaultError say that
        the unit had better sleep."""
        while True:
            admission = await self._enter()
            try:
                response = await self._trace_attempt(admission)
                with response.held:
                    if await self._accept(admission, response):
                        return await self.read(response)
            except SourceError as error:
                await self._back_off(error)

    async def _enter(self) -> Admission:
        try:
            return await self.gate.enter(self.endpoint)
        except RateLimitedError as limit:
            if self.failure is None:
                raise
            # As a mere refusal it would be retried for ever where the upstream fails with its quota used up.
            raise TransientSourceError(self.failure, limit.retry_after_seconds or 0.0) from limit

    async def _trace_attempt(self, admission: Admission) -> HttpResponse:
        """Make one attempt, as one span."""
        facts = {
            "http.request.resend_count": self.failures + self.refusals or None,
            "ferryman.integration.name": self.integration,
            "ferryman.endpoint": self.endpoint,
            "ferryman.limiter.wait_seconds": round(admission.waited_seconds, 3),
        }
        with request_spans.open_span(self.request, facts) as span:
            response = await self._attempt()
            request_spans.record_status(span, response.status)
        return response

    async def _attempt(self) -> HttpResponse:
        """Make one attempt."""
        time = asyncio.get_running_loop().time
        begun = time()
        try:
            patience = _patience_seconds(self.request) - self.spent_seconds
            response = await self._request(min(self.request.timeout_seconds, patience))
        except BaseException:
            self.gate.leave_unanswered()
            self.spent_seconds += time() - begun
            meters.UPSTREAM_REQUESTS.labels(self.integration, "none").inc()
            raise
        meters.UPSTREAM_REQUESTS.labels(self.integration, response.status).inc()
        seconds = time() - begun - response.held.waited_seconds
        self.spent_seconds += seconds
        self.gate.warnings.log_slow_answer(self.endpoint, seconds)
        self.gate.hedging.record_answer(self.endpoint, seconds)
        meters.UPSTREAM_SECONDS.labels(self.integration).observe(max(0.0, seconds))
        return replace(response, seconds=seconds)

    async def _request(self, timeout_seconds: float) -> HttpResponse:
        """Make one request; a second one where the answer to a read is late."""
        request = request_spans.pass_on(self.request) if self.settings.trace_upstreams else self.request
        percent = self.settings.ask_again_percent if self.request.is_repeatable else 0.0
        late_seconds = self.gate.hedging.late_seconds(self.endpoint) if percent else None
        if late_seconds is None or late_seconds >= timeout_seconds:
            return await self.attempt(request, timeout_seconds)
        hedges: list[Admission] = []

        def may_ask_again() -> bool:
            admission = self.gate.enter_again(self.endpoint, most_percent=percent)
            hedges.extend([admission] if admission else [])
            return admission is not None

        try:
            ask = partial(self.attempt, request, timeout_seconds)
            response, is_second = await hedging.await_first_answer(
                ask, late_seconds=late_seconds, may_ask_again=may_ask_again, drop=lambda late: late.held.release()
            )
        finally:
            for _ in hedges:
                # One of the two is dropped, whichever it is.
                self.gate.leave_unanswered()
                meters.UPSTREAM_REQUESTS.labels(self.integration, "none").inc()
        return replace(response, was_late=True) if is_second else response

    async def _accept(self, admission: Admission, response: HttpResponse) -> bool:
        """Leave the gate by an answer; False for a refusal to retry. Raise SourceError for any other error."""
        headers = response.plain_headers
        now = datetime.now(UTC)
        limits = rate_limit_headers.read_headers(headers, now=now, server_date=response.server_date)
        found = await self._find_error(admission, response, limits)
        status = response.status if found is None else found.status
        configured = self.config.wait_seconds(headers, response.server_date or now, status=status)
        default = self.config.default_wait_seconds
        asked = limits.wait_seconds(configured, has_default=default is not None)
        is_limited = self.config.is_limited(status, headers)
        if is_limited or (status == 503 and limits.retry_after_seconds is not None):
            self.gate.leave_refused(admission, asked, limits, default_seconds=default)
            self._count_refusal(status, asked)
            return False
        if status == 503:
            self.gate.leave_overloaded(admission, limits)
        else:
            self.gate.leave_served(admission, limits)
        if 200 <= status < 300 or (status == 304 and self.request.is_conditional):
            return True
        raise faults.build_refusal(self.request, response, found, retry_after_seconds=limits.retry_after_seconds)

    async def _find_error(
        self, admission: Admission, response: HttpResponse, limits: RateLimitHeaders
    ) -> FoundError | None:
        expression = self.request.error_expression
        if expression is None:
            return None
        try:
            return await error_rules.find_error(expression, self.request, response)
        except SourceError:
            self.gate.leave_served(admission, limits)
            raise

    def _count_refusal(self, status: int, asked: float | None) -> None:
        self.refusals += 1
        self.gate.warnings.log_refusal(self.endpoint, status, asked)
        wait = self.config.default_wait_seconds if asked is None else asked
        if wait is not None and wait >= constants.LONGEST_WAIT_IN_PLACE_SECONDS:
            raise RateLimitedError(wait, status=status)
        if self.refusals >= self.settings.request_attempts:
            raise RateLimitedError(max(self.gate.wait_seconds(), _LEAST_SLEEP_SECONDS), status=status)

    async def _back_off(self, error: SourceError) -> None:
        """Pause before the next attempt, outside of the gate; raise the error when there is to be none."""
        self.failures += 1
        if isinstance(error, RateLimitedError) or not self._may_repeat(error):
            raise error
        asked = error.retry_after_seconds or 0.0
        if asked >= LONGEST_WAIT_IN_PLACE_SECONDS:
            raise TransientSourceError(error, min(asked, constants.LONGEST_WAIT_SECONDS)) from error
        base = self.settings.retry_base_seconds
        wait = asked + retry.draw_backoff(self.failures, base, _LONGEST_BACKOFF_SECONDS)
        if self.failures >= self.settings.request_attempts or self.spent_seconds + wait >= _patience_seconds(
            self.request
        ):
            raise error
        self.failure = error
        self.gate.warnings.log_failure(self.endpoint, error, wait)
        self.spent_seconds += wait
        await asyncio.sleep(wait)

    def _may_repeat(self, error: SourceError) -> bool:
        is_harmless = self.request.is_repeatable or error.code == "connect" or error.status == 503
        return error.retryable and is_harmless


def _patience_seconds(request: HttpRequest) -> float:
    return max(_PATIENCE_SECONDS, request.timeout_seconds)
