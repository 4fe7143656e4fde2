"""The gate to one account in one process: requests wait here until the shared budget lets them through.

Its part of the budget is asked for in bulk, by one exchange with the store in the background every now and then, never
once per request. All of it lives on one event loop; nothing needs a lock.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from app.engine.limits import constants
from app.engine.limits.budget_state import BudgetLimits, Grant
from app.engine.limits.headers import RateLimitHeaders
from app.engine.record_errors import RateLimitedError
from app.services.ports import BudgetStore
from app.sources.limiter.budget_exchange import BudgetExchange, StoreClock
from app.sources.limiter.hedging import Hedging
from app.sources.limiter.idle_release import IdleRelease
from app.sources.limiter.observations import Observations
from app.sources.limiter.slow_start import SlowStart
from app.sources.limiter.warnings import ThrottledWarnings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Admission:
    """One request that was let through, until it leaves."""

    endpoint: str
    sent_at: float
    waited_seconds: float


class AccountGate:
    """Lets one account's requests through, as many and as fast as the shared budget allows."""

    def __init__(
        self, account_id: str, *, store: BudgetStore, process: str, limits: BudgetLimits, clock: StoreClock
    ) -> None:
        self._account_id = account_id
        self._budget = BudgetExchange(account_id, store=store, process=process, limits=limits, clock=clock)
        self.limits = limits
        self.throttled_warnings = ThrottledWarnings(account_id, clock.time)
        self.late = Hedging()
        self._time = clock.time
        self._grant: Grant | None = None
        self._starts: deque[float] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._round = SlowStart()
        self._closed_until = 0.0
        self._seen = Observations()
        self._reported_at = 0.0
        self._used_at = 0.0
        self._asked_at = 0.0
        """When the last request came that has to wait."""
        self._nudge = asyncio.Event()
        self._idle = IdleRelease(is_needed=self._needs_its_part, let_go=self._nudge.set, time=clock.time)
        self._keeper: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, waits, or is held here."""
        return self._keeper is None and self._in_flight == 0 and not self._waiting

    @property
    def useful_requests(self) -> int:
        """How many requests a caller may well ask for at once; more would only wait here."""
        grant = self._grant
        if grant is None:
            return min(self.limits.start, self.limits.most)
        paced = grant.window if grant.pace is None else int(grant.pace * constants.PACED_AHEAD_SECONDS) + 2
        # Room to grow into: the window only grows while it is full.
        return max(1, min(2 * grant.window, paced, self.limits.most))

    async def enter(self, endpoint: str) -> Admission:
        """Wait for the budget; raise RateLimitedError when that would take too long to wait here."""
        begun = self._time()
        is_paced = self._grant is not None and self._grant.pace is not None
        if not is_paced and self._wanted() == 0 and begun - self._used_at > constants.IDLE_SECONDS:
            self._seen.see_idleness()
        self._used_at = begun
        self._keep()
        if self._waiting or not self._is_open(begun):
            await self._wait()
        else:
            self._let_through(begun)
        now = self._time()
        return Admission(endpoint=endpoint, sent_at=now, waited_seconds=now - begun)

    def enter_again(self, endpoint: str) -> Admission | None:
        """Let a second request through beside one that hangs, if there is room at once; none of a paced account."""
        now, grant = self._time(), self._grant
        if grant is None or grant.starts is not None or self._waiting or now < self._closed_until:
            return None
        if self._in_flight >= max(grant.slots, grant.part):
            return None
        self.late.asked_again += 1
        self._let_through(now)
        return Admission(endpoint=endpoint, sent_at=now, waited_seconds=0.0)

    def leave_served(self, passage: Admission, signs: RateLimitHeaders) -> None:
        """Note that a request was answered; it may have been a fault, but not one of too many requests."""
        now = self._left()
        self._seen.see_served(passage.endpoint, self._shared(passage), now, is_late=self._is_late(passage))
        self._after(signs, now)

    def leave_refused(
        self,
        passage: Admission,
        wait_seconds: float | None,
        signs: RateLimitHeaders,
        *,
        default_seconds: float | None = None,
    ) -> None:
        """Note that a request was refused for its rate.

        ``wait_seconds`` is what the upstream told; ``default_seconds`` what its integration says where it tells none.
        """
        now, is_late = self._left(), self._is_late(passage)
        wait_until = None if wait_seconds is None else now + wait_seconds
        self._seen.see_refused(self._shared(passage), wait_until, is_late=is_late, default_seconds=default_seconds)
        if not is_late:
            self._starts.clear()
            # At once and for all of this process; the budget tells the others with the next report.
            here = now - self._budget.offset
            self._closed_until = max(
                self._closed_until, here + (wait_seconds or default_seconds or constants.SHORT_PAUSE_SECONDS)
            )
            self._nudge.set()
        self._after(signs, now)

    def leave_troubled(self, passage: Admission, signs: RateLimitHeaders) -> None:
        """Note that the upstream was too busy to serve a request."""
        now = self._left()
        self._seen.see_troubled(self._shared(passage), is_late=self._is_late(passage))
        self._after(signs, now)

    def leave_unanswered(self) -> None:
        """Note that a request got no answer, which tells nothing of the limit."""
        self._after(RateLimitHeaders(), self._left())

    async def close(self) -> None:
        """Give back what is held."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._timer is not None:
            self._timer.cancel()
        self._idle.close()

    def wait_seconds(self) -> float:
        """Return how long the account is closed from now on."""
        until = self._closed_until if self._grant is None else max(self._closed_until, self._local(self._grant))
        return max(0.0, until - self._time())

    def _left(self) -> float:
        """Take a request out; give the moment on the shared clock."""
        self._in_flight -= 1
        self._used_at = self._time()
        return self._used_at + self._budget.offset

    def _after(self, signs: RateLimitHeaders, now: float) -> None:
        self._seen.see_quota(signs, now)
        if signs.remaining == 0 and signs.reset_seconds is not None:
            self._pause_until_told(now)
        if self._round.ends_with(self._in_flight) and self._waiting:
            self._nudge.set()
        self._pump()
        self._idle.look()

    def _needs_its_part(self) -> bool:
        """Whether the better half of this process's part is in use, or that there is no half to give away."""
        grant = self._grant
        return grant is None or bool(self._waiting) or self._in_flight > grant.slots // 2 or grant.slots <= 1

    def _pause_until_told(self, now: float) -> None:
        """Close until the budget has taken the last answer in: what was granted before it may no longer hold."""
        self._closed_until = max(self._closed_until, now - self._budget.offset + constants.SHORT_PAUSE_SECONDS)
        self._nudge.set()

    def _shared(self, passage: Admission) -> float:
        return passage.sent_at + self._budget.offset

    def _is_late(self, passage: Admission) -> bool:
        return self._grant is not None and self._shared(passage) <= self._grant.cut_at

    async def _wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._asked_at = self._time()
        self._pump()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                # Let through at the moment when its caller gave up.
                self.leave_unanswered()
            raise

    def _is_open(self, now: float) -> bool:
        grant = self._grant
        if grant is None or now < self._closed_until or self._in_flight >= grant.slots:
            return False
        if grant.is_opening and self._round.is_full(in_flight=self._in_flight, now=now):
            return False
        return grant.starts is None or (bool(self._starts) and self._starts[0] <= now)

    def _let_through(self, now: float) -> None:
        if self._starts:
            self._starts.popleft()
        self._in_flight += 1
        self._round.start()

    def _pump(self) -> None:
        """Let through whom the budget allows; see that somebody comes back for the others."""
        now = self._time()
        while self._waiting and (self._waiting[0].done() or self._is_open(now)):
            future = self._waiting.popleft()
            if not future.done():
                self._let_through(now)
                future.set_result(None)
        if not self._waiting:
            return
        self._seen.is_full = True
        self._refuse_long_waits(now)
        if now < self._closed_until:
            self._come_back(self._closed_until)
        elif self._starts and now < self._starts[0]:
            self._come_back(self._starts[0])
        elif now < (due := self._reported_at + self._pause()):
            self._come_back(due)
        else:
            self._nudge.set()

    def _come_back(self, at: float) -> None:
        """Pump at that moment, or at an earlier one that was chosen already and will choose again."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        # Not the handle's own time: what is due at once has none on uvloop.
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._pump_in_time)

    def _pump_in_time(self) -> None:
        self._timer = None
        self._pump()

    def _refuse_long_waits(self, now: float) -> None:
        wait = self.wait_seconds()
        if wait < constants.LONGEST_WAIT_IN_PLACE_SECONDS:
            return
        if self._reported_at < self._asked_at:
            # Somebody may have reset the budget: nobody is sent to sleep by what was known before he came.
            self._nudge.set()
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RateLimitedError(wait))

    def _local(self, grant: Grant) -> float:
        """Return the moment up to which the account is closed, on this process's clock."""
        closed = grant.not_before if self._starts or grant.starts is None else grant.next_at
        return closed - self._budget.offset

    def _keep(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.get_running_loop().create_task(self._keep_budget())

    async def _keep_budget(self) -> None:
        """Exchange reports for grants as long as anything is wanted, then give all back."""
        while True:
            self._nudge.clear()
            wanted = self._wanted()
            try:
                await self._exchange()
            except Exception:
                # Nothing but a defect comes here; requests must not hang for it.
                logger.exception("the rate budget is broken", extra={"account_id": self._account_id})
                self._open_without_budget()
            self._pump()
            if wanted == 0 and self._wanted() == 0 and self._time() - self._used_at >= constants.LINGER_SECONDS:
                self._grant = None
                self._keeper = None
                return
            pause = self._pause()
            try:
                await asyncio.wait_for(self._nudge.wait(), timeout=pause)
            except TimeoutError:
                continue
            # Refusals and round ends hurry, but not in a circle.
            await asyncio.sleep(max(0.0, self._reported_at + constants.SHORTEST_REPORT_SECONDS - self._time()))

    def _pause(self) -> float:
        """Choose when to report next."""
        grant = self._grant
        if grant is None:
            return 0.0
        now = self._time()
        if not self._waiting:
            return constants.RENEW_SECONDS
        if now < self._closed_until:
            return min(constants.RENEW_SECONDS, self._closed_until - now)
        if grant.starts is not None and not self._starts:
            return min(
                constants.RENEW_SECONDS,
                max(constants.GROWING_REPORT_SECONDS, grant.next_at - self._budget.offset - now - 0.15),
            )
        return (
            constants.GROWING_REPORT_SECONDS
            if grant.window < self.limits.most or grant.slots < grant.part
            else constants.FULL_REPORT_SECONDS
        )

    def _wanted(self) -> int:
        return self._in_flight + len(self._waiting)

    async def _exchange(self) -> None:
        await self._budget.learn_time()
        while len(self._starts) > len(self._waiting):
            self._starts.pop()
        in_flight = self._in_flight + len(self._starts)
        now = self._time() + self._budget.offset
        self._take(await self._budget.swap(self._seen.report(wanted=self._wanted(), in_flight=in_flight, now=now)))

    def _take(self, grant: Grant) -> None:
        before = self._grant
        if before is not None and grant.cut_at > before.cut_at:
            self._seen.latencies.forget()
        self._grant = grant
        self._reported_at = self._time()
        self._idle.need()
        self._round.begin(size=max(grant.slots, grant.part), in_flight=self._in_flight, now=self._reported_at)
        if grant.starts is None:
            self._starts.clear()
        else:
            self._starts.extend(start - self._budget.offset for start in grant.starts)
        if not self._seen.refused:
            self._closed_until = grant.not_before - self._budget.offset

    def _open_without_budget(self) -> None:
        self._take(
            Grant(
                slots=self.limits.start,
                starts=None,
                next_at=0.0,
                not_before=0.0,
                cut_at=0.0,
                window=self.limits.start,
                part=self.limits.start,
                pace=None,
                is_opening=False,
            )
        )
