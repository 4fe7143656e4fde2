"""The gate to one account in one process: requests wait here until the shared budget admits them.

A task in the background exchanges reports for grants with the store, some times a second at most, not once per
request. All of it lives on one event loop; nothing needs a lock.
"""

import asyncio
import logging
from collections import deque

from app.engine.limits import constants
from app.engine.limits.budget_state import BudgetLimits, Grant
from app.engine.limits.constants import LONGEST_WAIT_IN_PLACE_SECONDS
from app.engine.limits.headers import RateLimitHeaders
from app.engine.record_errors import RateLimitedError
from app.services.ports import BudgetStore
from app.sources.limiter.budget_exchange import BudgetExchange, StoreClock
from app.sources.limiter.gate_state import Admission, GateState
from app.sources.limiter.granted_part import GrantedPart, build_default_grant
from app.sources.limiter.hedging import Hedging
from app.sources.limiter.idle_release import IdleRelease
from app.sources.limiter.observations import Observations
from app.sources.limiter.slow_start import SlowStart
from app.sources.limiter.warnings import ThrottledWarnings

logger = logging.getLogger(__name__)


class AccountGate:
    """Admits one account's requests, as many and as fast as the shared budget allows."""

    def __init__(
        self, account_id: str, *, store: BudgetStore, process: str, limits: BudgetLimits, clock: StoreClock
    ) -> None:
        self._account_id = account_id
        self.integration = ""
        """Whose account it is, for the metrics."""
        self._budget = BudgetExchange(account_id, store=store, process=process, limits=limits, clock=clock)
        self.warnings = ThrottledWarnings(account_id, clock.time)
        self.hedging = Hedging()
        self._time = clock.time
        self.part = GrantedPart(limits)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._round = SlowStart()
        self._observations = Observations()
        self._used_at = 0.0
        self._waits_since = 0.0
        """When the last request came that has to wait."""
        self._report_is_due = asyncio.Event()
        self._idle = IdleRelease(
            is_needed=lambda: bool(self._waiting) or self.part.is_needed(self._in_flight),
            release=self._report_is_due.set,
            time=clock.time,
        )
        self._reporter: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, waits, or is held here."""
        return self._reporter is None and self._in_flight == 0 and not self._waiting

    @property
    def useful_requests(self) -> int:
        """How many requests a caller should ask for at once; more would only wait here."""
        return self.part.useful_requests

    @property
    def state(self) -> GateState:
        """How it stands; read from any thread."""
        grant = self.part.grant
        return GateState(
            integration=self.integration,
            window=self.part.limits.start if grant is None else grant.window,
            pace=None if grant is None else grant.pace,
            in_flight=self._in_flight,
            waiting=len(self._waiting),
        )

    async def enter(self, endpoint: str) -> Admission:
        """Wait for the budget; raise RateLimitedError when that would take too long to wait here."""
        begun = self._time()
        if not self.part.is_paced and self._count_wanted() == 0 and begun - self._used_at > constants.IDLE_SECONDS:
            self._observations.record_idleness()
        self._used_at = begun
        if self._reporter is None or self._reporter.done():
            self._reporter = asyncio.get_running_loop().create_task(self._report_while_wanted())
        if self._waiting or not self._is_open(begun):
            await self._wait()
        else:
            self._admit()
        now = self._time()
        return Admission(endpoint=endpoint, sent_at=now, waited_seconds=now - begun)

    def enter_again(self, endpoint: str, *, most_percent: float) -> Admission | None:
        """Admit a second request beside one that hangs, if there is room at once; never for a paced account.

        ``most_percent`` of the account's requests may be sent twice.
        """
        now = self._time()
        is_free = not self._waiting and self.part.has_spare_slot(now, self._in_flight)
        if not is_free or not self.hedging.may_ask_again(most_percent):
            return None
        self.hedging.asked_again += 1
        self._admit()
        return Admission(endpoint=endpoint, sent_at=now, waited_seconds=0.0)

    def leave_served(self, admission: Admission, headers: RateLimitHeaders) -> None:
        """Record that a request was answered, by a success or by an error that is not one of too many requests."""
        now, (sent_at, is_late) = self._leave(), self._when_sent(admission)
        self._observations.record_served(admission.endpoint, sent_at, now, is_late=is_late)
        self._go_on(headers, now)

    def leave_refused(
        self,
        admission: Admission,
        wait_seconds: float | None,
        headers: RateLimitHeaders,
        *,
        default_seconds: float | None = None,
    ) -> None:
        """Record that a request was refused for its rate.

        ``wait_seconds`` is what the answer asks for, ``default_seconds`` the integration's wait where it asks for none.
        """
        now, (sent_at, is_late) = self._leave(), self._when_sent(admission)
        wait_until = None if wait_seconds is None else now + wait_seconds
        self._observations.record_refused(sent_at, wait_until, is_late=is_late, default_seconds=default_seconds)
        if not is_late:
            # At once and for all of this process; the others learn it from the budget after the next report.
            self._close_for(now, wait_seconds or default_seconds or constants.SHORT_PAUSE_SECONDS, drops_starts=True)
        self._go_on(headers, now)

    def leave_overloaded(self, admission: Admission, headers: RateLimitHeaders) -> None:
        """Record that the upstream was too busy to serve a request."""
        now, (sent_at, is_late) = self._leave(), self._when_sent(admission)
        self._observations.record_overload(sent_at, is_late=is_late)
        self._go_on(headers, now)

    def leave_unanswered(self) -> None:
        """Record that a request got no answer, which says nothing about the limit."""
        self._go_on(RateLimitHeaders(), self._leave())

    async def close(self) -> None:
        """Release what is held."""
        if self._reporter is not None:
            self._reporter.cancel()
            await asyncio.gather(self._reporter, return_exceptions=True)
            self._reporter = None
        if self._timer is not None:
            self._timer.cancel()
        self._idle.close()

    def wait_seconds(self) -> float:
        """Return how long the account is closed from now on."""
        return self.part.wait_seconds(self._time())

    def _leave(self) -> float:
        """Count a request out; return the moment on the shared clock."""
        self._in_flight -= 1
        self._used_at = self._time()
        return self._used_at + self._budget.offset

    def _go_on(self, headers: RateLimitHeaders, now: float) -> None:
        self._observations.record_quota(headers, now)
        if headers.remaining == 0 and headers.reset_seconds is not None:
            # Until the budget has taken the answer in: what was granted before it may no longer hold.
            self._close_for(now, constants.SHORT_PAUSE_SECONDS)
        if self._round.end_when_few(self._in_flight) and self._waiting:
            self._report_is_due.set()
        self._admit_waiting()
        self._idle.check()

    def _close_for(self, now: float, seconds: float, *, drops_starts: bool = False) -> None:
        """Close from a moment of the shared clock on, and report."""
        self.part.close_until(now - self._budget.offset + seconds, drops_starts=drops_starts)
        self._report_is_due.set()

    def _when_sent(self, admission: Admission) -> tuple[float, bool]:
        """Return the moment on the shared clock, and whether it was before the budget's last cut."""
        sent_at = admission.sent_at + self._budget.offset
        return sent_at, self.part.was_sent_before_cut(sent_at)

    async def _wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._waits_since = self._time()
        self._admit_waiting()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                # Admitted at the moment when its caller gave up.
                self.leave_unanswered()
            raise

    def _is_open(self, now: float) -> bool:
        grant = self.part.grant
        is_held = grant is not None and grant.is_opening and self._round.is_full(in_flight=self._in_flight, now=now)
        return not is_held and self.part.is_open(now, self._in_flight)

    def _admit(self) -> None:
        self.part.use_start()
        self._in_flight += 1
        self._round.start()

    def _admit_waiting(self) -> None:
        """Admit the requests that the budget allows, and choose when to look at the others again."""
        now = self._time()
        while self._waiting and (self._waiting[0].done() or self._is_open(now)):
            future = self._waiting.popleft()
            if not future.done():
                self._admit()
                future.set_result(None)
        if not self._waiting:
            return
        self._observations.is_full = True
        self._refuse_long_waits(now)
        pause_seconds = self.part.report_pause_seconds(now, is_waiting=bool(self._waiting))
        due = self.part.next_opening(now) or self.part.taken_at + pause_seconds
        if now < due:
            self._admit_at(due)
        else:
            self._report_is_due.set()

    def _admit_at(self, moment: float) -> None:
        """Admit waiting requests at that moment, or at an earlier one that is set already and chooses the next."""
        if self._timer is not None:
            if self._timer_at <= moment:
                return
            self._timer.cancel()
        # Not the handle's own time: what is due at once has none on uvloop.
        self._timer_at = moment
        self._timer = asyncio.get_running_loop().call_at(moment, self._run_timer)

    def _run_timer(self) -> None:
        self._timer = None
        self._admit_waiting()

    def _refuse_long_waits(self, now: float) -> None:
        wait = self.part.wait_seconds(now)
        if wait < LONGEST_WAIT_IN_PLACE_SECONDS:
            return
        if self.part.taken_at < self._waits_since:
            # The budget may have been reset since: no request is sent to sleep by an older grant.
            self._report_is_due.set()
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RateLimitedError(wait))

    async def _report_while_wanted(self) -> None:
        """Exchange reports for grants as long as requests come, then give all back."""
        while True:
            self._report_is_due.clear()
            wanted = self._count_wanted()
            try:
                await self._exchange()
            except Exception:
                # Only a defect raises here; requests must not hang for it.
                logger.exception("the rate budget is broken", extra={"account_id": self._account_id})
                self._take(build_default_grant(self.part.limits))
            self._admit_waiting()
            if wanted == 0 and self._count_wanted() == 0 and self._time() - self._used_at >= constants.LINGER_SECONDS:
                self.part.grant = None
                self._reporter = None
                return
            pause_seconds = self.part.report_pause_seconds(self._time(), is_waiting=bool(self._waiting))
            try:
                await asyncio.wait_for(self._report_is_due.wait(), timeout=pause_seconds)
            except TimeoutError:
                continue
            # Refusals and ends of rounds report early, but not in a busy loop.
            await asyncio.sleep(max(0.0, self.part.taken_at + constants.SHORTEST_REPORT_SECONDS - self._time()))

    def _count_wanted(self) -> int:
        return self._in_flight + len(self._waiting)

    async def _exchange(self) -> None:
        """Report, and take the grant."""
        await self._budget.learn_time()
        self.part.drop_starts(len(self._waiting))
        in_flight = self._in_flight + self.part.unused_starts
        now = self._time() + self._budget.offset
        report = self._observations.report(wanted=self._count_wanted(), in_flight=in_flight, now=now)
        self._take(await self._budget.swap(report))

    def _take(self, grant: Grant) -> None:
        before = self.part.grant
        if before is not None and grant.cut_at > before.cut_at:
            self._observations.clear_signs()
        # A refusal that came since the report is not in the grant.
        stays_closed = bool(self._observations.refused)
        self.part.take(grant, offset=self._budget.offset, now=self._time(), stays_closed=stays_closed)
        self._idle.mark_needed()
        self._round.begin(size=max(grant.slots, grant.part), in_flight=self._in_flight, now=self.part.taken_at)
