"""Send HTTP requests to upstream APIs: one connection pool per process, patient with faults that pass."""

import asyncio
import random
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from app.engine import retry
from app.engine.errors import RateLimitedError, SourceError
from app.net.loop import LoopThread
from app.settings import Settings
from app.sources import faults, origins
from app.sources.exchange import HttpRequest, HttpResponse

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_DNS_CACHE_SECONDS = 60
# Next-page links with long cursors travel in headers; aiohttp's own limit is 8 KiB.
_HEADER_LIMIT_BYTES = 64 * 1024
_ERROR_BODY_BYTES = 64 * 1024
_REDIRECT_LIMIT = 5
_CLOSE_SECONDS = 5.0

_PATIENCE_SECONDS = 60.0
"""All attempts of one request, with the waits between them."""
_LONGEST_WAIT_IN_PLACE_SECONDS = 5.0
"""From here on a Retry-After frees the worker: the unit sleeps in Postgres instead."""
_LONGEST_BACKOFF_SECONDS = 10.0
_UNTOLD_WAIT_SECONDS = 10.0
"""The wait when an upstream goes on to answer 429 and does not tell for how long."""
_NOT_WORKED_ON_STATUSES = frozenset({429, 503})
"""Answers which tell that the request was turned away at the door, so that even a create may be sent again."""


class Transport:
    """Sends requests on an event loop of its own; started at first use, and anew after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop_thread = LoopThread("ferryman-sources")
        # Pools are kept by loop and never dropped: after a fork the child leaves the parent's alone, because to collect
        # one would take the parent's sockets out of the epoll set that both processes share.
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin to run a coroutine on the transport's loop, the only place where ``send`` may be awaited."""
        return self._loop_thread.submit(work)

    async def send(self, request: HttpRequest, *, account_id: str) -> HttpResponse:
        """Give the 2xx answer to a request; raise SourceError or RateLimitedError for anything else."""
        async with self._pool().slot(account_id):
            return await self._send_patiently(request)

    def close(self) -> None:
        """Cancel what is under way and close every connection; a later request opens new ones."""
        if self._pools:
            self.run(self._close_pool()).result(timeout=_CLOSE_SECONDS)
        self._loop_thread.close()

    async def _send_patiently(self, request: HttpRequest) -> HttpResponse:
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + max(_PATIENCE_SECONDS, request.timeout_seconds)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(request, min(request.timeout_seconds, give_up_at - clock()))
            except SourceError as error:
                wait = self._seconds_to_retry(request, error, attempt)
                if wait is None or clock() + wait >= give_up_at:
                    raise _settled(error) from error.__cause__
            await asyncio.sleep(wait)

    def _seconds_to_retry(self, request: HttpRequest, error: SourceError, attempt: int) -> float | None:
        """Tell how long to wait before the next attempt; None when there should be none."""
        told = error.retry_after_seconds or 0.0
        if attempt >= self._settings.request_attempts or told >= _LONGEST_WAIT_IN_PLACE_SECONDS:
            return None
        if not (error.retryable and (request.is_repeatable or _was_not_worked_on(error))):
            return None
        base = self._settings.retry_base_seconds
        return told + retry.backoff_seconds(attempt, base, _LONGEST_BACKOFF_SECONDS, random.random)

    async def _attempt(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._follow(request)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise faults.foreign(error, request) from error
        if 200 <= response.status < 300:
            return response
        raise faults.refused(request, response)

    async def _follow(self, request: HttpRequest) -> HttpResponse:
        """Exchange, and follow redirects within the origin."""
        for _ in range(_REDIRECT_LIMIT + 1):
            response = await self._exchange(request)
            redirected = _redirected(request, response)
            if redirected is None:
                return response
            request = redirected
        raise SourceError("request", f"the upstream redirected more than {_REDIRECT_LIMIT} times")

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
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
                body=await self._read(request, response),
            )

    async def _read(self, request: HttpRequest, response: aiohttp.ClientResponse) -> bytes:
        """Read a body up to the limit, counted after decompression; of an error, only its beginning."""
        is_error = response.status >= 400
        limit = _ERROR_BODY_BYTES if is_error else self._settings.response_limit_bytes
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                if is_error:
                    break
                raise faults.too_large(request, limit)
        return b"".join(chunks)

    def _pool(self) -> "_Pool":
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = _Pool(self._settings.requests_per_account)
        return self._pools[loop]

    async def _close_pool(self) -> None:
        loop = asyncio.get_running_loop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if pool := self._pools.pop(loop, None):
            await pool.session.close()


class _Pool:
    """The connections of one event loop, and how many requests each account has under way."""

    def __init__(self, requests_per_account: int) -> None:
        self._requests_per_account = requests_per_account
        # A slot vanishes when no request holds it any more.
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self.session = aiohttp.ClientSession(
            # The slots bound the connections; a limit here would let one slow account starve the others.
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_CACHE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            max_line_size=_HEADER_LIMIT_BYTES,
            max_field_size=_HEADER_LIMIT_BYTES,
        )

    def slot(self, account_id: str) -> asyncio.Semaphore:
        """Give the account's slot, to be held while one of its requests is under way."""
        slot = self._slots.get(account_id)
        if slot is None:
            slot = self._slots[account_id] = asyncio.Semaphore(self._requests_per_account)
        return slot


def _redirected(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """Give the request that a redirect asks for; None when it is none, or would silently turn a write into a read."""
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


def _was_not_worked_on(error: SourceError) -> bool:
    return error.code == "connect" or error.status in _NOT_WORKED_ON_STATUSES


def _settled(error: SourceError) -> SourceError:
    """Turn an answer that asks to come back later into the error that lets the unit sleep."""
    told = error.retry_after_seconds
    if error.status == 429:
        return RateLimitedError(told or _UNTOLD_WAIT_SECONDS, status=429)
    if error.status == 503 and told is not None and told >= _LONGEST_WAIT_IN_PLACE_SECONDS:
        return RateLimitedError(told, status=503)
    return error
