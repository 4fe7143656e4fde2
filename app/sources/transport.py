"""Send HTTP requests to upstream APIs: one connection pool per process, with retries."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from app.engine.ids import new_id
from app.engine.integrations.rate_limit import RateLimitConfig
from app.engine.limits.budget_state import BudgetLimits
from app.engine.record_errors import SourceError
from app.net import guarded_connections
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.ports import BudgetStore
from app.settings import Settings
from app.sources.exchange import faults, origins
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.limiter.budget_exchange import StoreClock
from app.sources.limiter.gate import AccountGate
from app.sources.limiter.gate_state import GateState
from app.sources.limiter.local_budgets import LocalBudgets
from app.sources.reading import content_encodings
from app.sources.reading.content_encodings import Body, UnpackingError
from app.sources.reading.memory import AnswerMemory, HeldMemory
from app.sources.reading.processes import ReadingProcesses
from app.sources.sending import Attempt, Sending

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_REDIRECT_LIMIT = 5
_CLOSE_SECONDS = 5.0
_IDLE_GATES = 256
"""Gates beyond this number are dropped once they are idle."""


class Transport:
    """Sends requests on an event loop of its own; started at first use, and anew after a fork."""

    def __init__(
        self,
        settings: Settings,
        budgets: Callable[[], BudgetStore] = LocalBudgets,
        around: Callable[[Attempt], Attempt] | None = None,
    ) -> None:
        """``around`` may wrap or replace the attempt of a request."""
        self._attempt = around(self._live_attempt) if around else self._live_attempt
        self._settings = settings
        self._budgets = budgets
        self._loop_thread = LoopThread("ferryman-sources")
        # Kept by loop and never dropped: after a fork the child leaves the parent's pool alone, because collecting it
        # would take the parent's sockets out of the epoll set that both processes share.
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the transport's loop, which ``send`` has to be awaited on."""
        return self._loop_thread.submit(work)

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function on the transport's loop, from any thread."""
        self._loop_thread.call_soon(function)

    async def send(
        self,
        request: HttpRequest,
        read: Callable[[HttpResponse], Awaitable[T]],
        *,
        account_id: str,
        budget_key: str = "",
        endpoint: str = "",
        integration: str = "",
        rate_limit: RateLimitConfig | None = None,
    ) -> T:
        """Return what ``read`` makes of the 2xx answer to a request; raise SourceError or RateLimitedError otherwise.

        An error of ``read`` counts as the upstream's: where it is retryable, the request is sent again.
        """
        config = rate_limit or RateLimitConfig()
        gate = self._pool().gate(budget_key or account_id, config.pace)
        gate.integration = integration
        request = replace(request, account_id=account_id)
        return await Sending(request, endpoint, gate, integration, config, self._attempt, self._settings, read).run()

    async def run_aside(self, function: Callable[[], T], *, account_id: str) -> T:
        """Call a long function beside the loop; awaited on the transport's loop."""
        return await self._pool().reader.run_aside(function, account_id=account_id)

    def useful_requests(self, budget_key: str) -> int:
        """Return how many requests of a budget are worth having under way; callable from any thread."""
        for pool in list(self._pools.values()):
            if gate := pool.gates.get(budget_key):
                return gate.useful_requests
        return min(self._settings.requests_at_start, self._settings.requests_per_account)

    def list_gates(self) -> Sequence[GateState]:
        """List how the gates of accounts stand that are in use; callable from any thread."""
        pools = list(self._pools.values())
        return [gate.state for pool in pools for gate in list(pool.gates.values()) if not gate.is_idle]

    def close(self) -> None:
        """Cancel what is under way and close every connection; a later request opens new ones."""
        if self._pools:
            self.run(self._close_pool()).result(timeout=_CLOSE_SECONDS)
        self._loop_thread.close()

    async def _live_attempt(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        """Return the answer to one attempt, whatever its status; raise SourceError when there is none."""
        try:
            async with asyncio.timeout(timeout_seconds) as deadline:
                return await self._follow(request, deadline)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise faults.translate_error(error, request) from error

    async def _follow(self, request: HttpRequest, deadline: asyncio.Timeout) -> HttpResponse:
        """Exchange, and follow redirects within the origin."""
        for _ in range(_REDIRECT_LIMIT + 1):
            response = await self._exchange(request, deadline)
            redirected = _build_redirect(request, response)
            if redirected is None:
                return response
            response.held.release()
            request = redirected
        raise SourceError("request", f"the upstream redirected more than {_REDIRECT_LIMIT} times")

    async def _exchange(self, request: HttpRequest, deadline: asyncio.Timeout) -> HttpResponse:
        held = self._pool().memory.hold(deadline)
        async with self._pool().session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        ) as response:
            return HttpResponse(
                status=response.status,
                headers=response.headers,
                body=await self._read(request, response, held),
                reader=self._pool().reader.of(request.account_id),
                held=held,
            )

    async def _read(self, request: HttpRequest, response: aiohttp.ClientResponse, held: HeldMemory) -> bytes:
        """Read a body up to the limit, counted after decompression; of an error, only its beginning."""
        is_error = response.status >= 400
        limit = faults.ANSWER_BYTES if is_error else self._settings.response_limit_bytes
        body = Body(response.headers.getall("Content-Encoding", ()), limit_bytes=limit)
        try:
            await _receive(response, body, held)
        except UnpackingError as error:
            if not is_error:
                _discard(body, held)
                raise faults.translate_unpacking_error(error, request) from error
        except BaseException:
            _discard(body, held)
            raise
        held.pass_deadline()
        return body.content

    def _pool(self) -> "_Pool":
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = _Pool(self._settings, self._budgets())
        return self._pools[loop]

    async def _close_pool(self) -> None:
        loop = asyncio.get_running_loop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if pool := self._pools.pop(loop, None):
            await pool.close()


class _Pool:
    """The connections of one event loop, and the gates to the accounts that they lead to."""

    def __init__(self, settings: Settings, budgets: BudgetStore) -> None:
        self._settings = settings
        self._budgets = budgets
        # Random per process life: a successor must not seem to hold what this one held.
        self._process = new_id()
        self._clock = StoreClock(asyncio.get_running_loop().time)
        self.gates: dict[str, AccountGate] = {}
        self.reader = ReadingProcesses()
        self.memory = AnswerMemory(settings.answers_memory_bytes, kept_bytes=settings.response_limit_bytes)
        self.session = aiohttp.ClientSession(
            # The gates bound the connections; a limit here would let one slow account starve the others.
            connector=guarded_connections.make_connector(AllowedNetworks.parse(settings.allowed_networks), limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": content_encodings.ACCEPTED},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            # aiohttp's own limits are 8 KiB and 128.
            max_line_size=faults.HEADER_BYTES,
            max_field_size=faults.HEADER_BYTES,
            max_headers=faults.MOST_HEADERS,
        )

    def gate(self, budget_key: str, pace: float | None) -> AccountGate:
        """Return the gate to the accounts of a budget whose integration allows this pace."""
        limits = BudgetLimits(
            most=self._settings.requests_per_account, start=self._settings.requests_at_start, pace=pace
        )
        gate = self.gates.get(budget_key)
        if gate is None:
            self._drop_idle()
            gate = self.gates[budget_key] = AccountGate(
                budget_key,
                store=self._budgets,
                process=self._process,
                limits=limits,
                clock=self._clock,
            )
        gate.part.limits = limits
        return gate

    async def close(self) -> None:
        """Close the gates and all connections."""
        for gate in self.gates.values():
            await gate.close()
        await self._budgets.close()
        await self.session.close()
        self.reader.close()

    def _drop_idle(self) -> None:
        if len(self.gates) >= _IDLE_GATES:
            self.gates = {account_id: gate for account_id, gate in self.gates.items() if not gate.is_idle}


async def _receive(response: aiohttp.ClientResponse, body: Body, held: HeldMemory) -> None:
    """Unpack a body as it arrives, as fast as there is memory for it; raise UnpackingError."""
    async for chunk in response.content.iter_any():
        for _ in body.add(chunk):
            await held.grow_to(body.memory_bytes)
            await asyncio.sleep(0)
        await held.grow_to(body.memory_bytes)
    body.finish()


def _discard(body: Body, held: HeldMemory) -> None:
    body.drop()
    held.release()


def _build_redirect(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """Return the redirected request; None without a redirect, or where it would silently turn a write into a read."""
    location = response.header("Location")
    if location is None:
        return None
    match response.status:
        case 307 | 308:
            return replace(request, url=origins.follow(request.url, location))
        case 303:
            return replace(request, url=origins.follow(request.url, location), method="GET", body=None)
        case 301 | 302 if request.method in ("GET", "HEAD"):
            return replace(request, url=origins.follow(request.url, location))
        case _:
            return None
