"""Whole fleets in virtual time: real gates over one store, upstreams that limit rates, no second of real waiting."""

import asyncio
import bisect
import json
import math
import random
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from app.engine.limits import headers as rate_limit_headers
from app.engine.limits.budget_state import BudgetLimits
from app.engine.record_errors import RateLimitedError
from app.services.ports import Swapped
from app.sources.limiter.budget_exchange import StoreClock
from app.sources.limiter.gate import AccountGate
from app.sources.limiter.local_budgets import LocalBudgets

T = TypeVar("T")

EPOCH = 1_700_000_000.0


class _VirtualSelector(selectors.DefaultSelector):
    """Waits for nothing: it moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        # Nothing comes from outside: no thread and no socket has a part in it.
        self.time += max(timeout or 0.0, 1e-6)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once."""

    def __init__(self) -> None:
        self.virtual = _VirtualSelector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.time


def simulate(work: Callable[["Fleet"], Coroutine[Any, Any, T]], *, processes: int = 1, **limits: Any) -> T:
    """Run a fleet in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(Fleet(loop, processes, BudgetLimits(**limits))))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


Headers: TypeAlias = dict[str, str]


def silent(_api: "LimitedApi", _now: float) -> Headers:
    """Tell nothing."""
    return {}


Tell: TypeAlias = Callable[["LimitedApi", float], Headers]


@dataclass
class LimitedApi:
    """An upstream that serves so many requests per window and refuses the others."""

    loop: VirtualLoop
    requests: int
    per_seconds: float = 1.0
    latency: float = 0.03
    work_seconds: float = 0.0
    """How long an answer takes after its request was counted."""
    is_sliding: bool = False
    tell: Tell = silent
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def ask(self) -> tuple[int, Headers]:
        await asyncio.sleep(self.latency * self.chance.uniform(0.2, 0.8))
        now = self.loop.time()
        status = 200 if self.used(now) < self.requests else 429
        (self.served if status == 200 else self.refused).append(now)
        headers = self.tell(self, now)
        await asyncio.sleep(self.latency * self.chance.uniform(0.2, 0.8) + self.work_seconds)
        return status, headers

    def used(self, now: float) -> int:
        since = now - self.per_seconds if self.is_sliding else now - now % self.per_seconds
        first = bisect.bisect_right if self.is_sliding else bisect.bisect_left
        return len(self.served) - first(self.served, since)

    def reset_at(self, now: float) -> float:
        return now - now % self.per_seconds + self.per_seconds

    @property
    def refused_share(self) -> float:
        return len(self.refused) / (len(self.refused) + len(self.served))


@dataclass
class BucketApi(LimitedApi):
    """Serves what a bucket holds, which fills evenly."""

    level: float = math.inf
    filled_at: float = 0.0

    def used(self, now: float) -> int:
        filled = self.level + (now - self.filled_at) * self.requests / self.per_seconds
        self.level, self.filled_at = min(float(self.requests), filled), now
        if self.level < 1.0:
            return self.requests
        self.level -= 1.0
        return 0


@dataclass
class CountingApi(LimitedApi):
    """Counts how many requests it has under way."""

    under_way: int = 0
    most: int = 0

    async def ask(self) -> tuple[int, Headers]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await super().ask()
        finally:
            self.under_way -= 1


@dataclass
class TroubledApi(CountingApi):
    """Is too busy for some of its requests."""

    busy_share: float = 0.01

    async def ask(self) -> tuple[int, Headers]:
        status, headers = await super().ask()
        return (503, {}) if self.chance.random() < self.busy_share else (status, headers)


@dataclass
class MoodyApi(LimitedApi):
    """Refuses a share of its requests, however few come."""

    share: float = 0.05

    async def ask(self) -> tuple[int, Headers]:
        status, headers = await super().ask()
        if status == 200 and self.chance.random() < self.share:
            self.refused.append(self.served.pop())
            status = 429
        return status, headers


class CountedBudgets(LocalBudgets):
    """A store in memory that a test can look into and break."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.swaps = 0
        self.is_broken = False

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        self.swaps += 1
        if self.is_broken:
            raise ValueError
        return await super().swap(account_id, expected=expected, text=text)

    def put(self, text: str) -> None:
        self._texts["account"] = text

    @property
    def text(self) -> str:
        return self._texts["account"]


class Fleet:
    """Processes that share one store of budgets."""

    def __init__(self, loop: VirtualLoop, processes: int, limits: BudgetLimits) -> None:
        self.loop = loop
        self.limits = limits
        self.store = CountedBudgets(lambda: EPOCH + loop.time())
        self.gates = [self.new_gate(f"process-{number}") for number in range(processes)]
        self.parked = 0
        self.retry_seconds = 0.25

    def new_gate(self, process: str) -> AccountGate:
        return AccountGate(
            "account", store=self.store, process=process, limits=self.limits, clock=StoreClock(self.loop.time)
        )

    def budget(self) -> dict[str, Any]:
        """Read the account's budget as it is stored."""
        return dict(json.loads(self.store.text))

    def window(self) -> float:
        return int(self.budget()["window"])

    async def work(self, api: LimitedApi, *, requests: int, at_once: int = 64) -> float:
        """Make so many requests in each process; give the seconds that it took."""
        begun = self.loop.time()
        await asyncio.gather(*(self.work_in(gate, api, requests=requests, at_once=at_once) for gate in self.gates))
        return self.loop.time() - begun

    async def work_in(self, gate: AccountGate, api: LimitedApi, *, requests: int, at_once: int = 64) -> None:
        """Make so many requests in one process."""
        left = deque(range(requests))

        async def worker(number: int) -> None:
            while left:
                if number >= gate.useful_requests:
                    await asyncio.sleep(0.25)
                    continue
                left.popleft()
                await self.send(gate, api)

        await asyncio.gather(*(worker(number) for number in range(at_once)))

    async def send(self, gate: AccountGate, api: LimitedApi) -> None:
        """Ask until it is served, as a unit does that sleeps when it is told to."""
        while True:
            try:
                passage = await gate.enter("things.list")
            except RateLimitedError as error:
                self.parked += 1
                await asyncio.sleep(error.retry_after_seconds or 0)
                continue
            status, headers = await api.ask()
            now = datetime.fromtimestamp(EPOCH + self.loop.time(), UTC)
            signs = rate_limit_headers.read_headers(headers, now=now, server_date=None)
            if status == 200:
                gate.leave_served(passage, signs)
                return
            if status == 503:
                gate.leave_overloaded(passage, signs)
                await asyncio.sleep(self.retry_seconds)
                continue
            gate.leave_refused(passage, signs.wait_seconds(), signs)
