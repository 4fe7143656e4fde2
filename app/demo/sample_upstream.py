"""A small ticketing API to sync from, with the failures of a real one: ``python -m app.demo.sample_upstream --port N``.

It requires an API key in ``x-api-key``, has cursor pages and a rate limit, and fails now and then.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from app.demo.sample_data import SampleData
from app.demo.serving import serve
from app.engine.json_types import JsonObject

API_KEY = "sample-upstream-key"
PAGE_SIZE = 100
_CURSOR = re.compile(r"after-(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Its failures; 0 turns one off."""

    hiccup_every: int = 97
    """Each so-many-th request is answered 503, then 500, in turn."""
    quota: int = 1500
    """The requests within the rate limit: after them all are answered 429 until the pause is over."""
    pause_seconds: float = 1.0


NO_FAULTS = Faults(hiccup_every=0, quota=0)


class Quota:
    """A budget of requests that is full again one pause after it was used up."""

    def __init__(self, size: int, pause_seconds: float, now: Callable[[], float]) -> None:
        self._size = size
        self._pause_seconds = pause_seconds
        self._now = now
        self._used = 0
        self._full_again_at = 0.0

    def wait_seconds(self) -> float:
        """Count a request; return how long to wait when none is left."""
        if not self._size:
            return 0.0
        if self._used == self._size and self._now() >= self._full_again_at:
            self._used = 0
        if self._used == self._size:
            return self._full_again_at - self._now()
        self._used += 1
        if self._used == self._size:
            self._full_again_at = self._now() + self._pause_seconds
        return 0.0

    def headers(self) -> dict[str, str]:
        """Return the usual headers of a rate limit."""
        if not self._size:
            return {}
        reset = max(0, math.ceil(self._full_again_at - self._now()))
        names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
        return dict(zip(names, map(str, (self._size, self._size - self._used, reset)), strict=True))


class SampleUpstream:
    """The handlers of the API, and its counters."""

    def __init__(self, data: SampleData, faults: Faults, now: Callable[[], float]) -> None:
        self._data = data
        self._faults = faults
        self._quota = Quota(faults.quota, faults.pause_seconds, now)
        self._requests = Counter[str]()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request only with the right key, within the quota, and when no hiccup is due."""
        if request.path == "/stats":
            return await handler(request)
        refusal = self._refusal(request)
        response = refusal or await handler(request)
        response.headers.update(self._quota.headers())
        self._requests[str(response.status)] += 1
        return response

    async def list_users(self, request: web.Request) -> web.Response:
        """Return a page of users."""
        return _build_page(request, self._data.users)

    async def list_tickets(self, request: web.Request) -> web.Response:
        """Return a page of tickets, all of them or those ``updated_since`` a time."""
        since = request.query.get("updated_since")
        if since is None:
            return _build_page(request, self._data.tickets)
        try:
            start = datetime.fromisoformat(since)
            tickets = [ticket for ticket in self._data.tickets if datetime.fromisoformat(ticket["updated_at"]) >= start]
        except (ValueError, TypeError):
            return _build_error(400, "updated_since is not a time with a zone, like 2026-01-01T00:00:00Z")
        return _build_page(request, tickets)

    async def list_comments(self, request: web.Request) -> web.Response:
        """Return a page of one ticket's comments."""
        comments = self._data.comments.get(request.match_info["ticket_id"])
        return _build_error(404, "no such ticket") if comments is None else _build_page(request, comments)

    async def show_stats(self, _request: web.Request) -> web.Response:
        """Return the number of records, and of answers by status; needs no key."""
        return web.json_response({"holds": self._data.counts, "requests": self._requests})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("x-api-key") != API_KEY:
            return _build_error(401, "the header x-api-key does not hold a known key")
        if wait := self._quota.wait_seconds():
            return _build_error(429, "too many requests", {"Retry-After": str(math.ceil(wait))})
        number, every = self._requests.total() + 1, self._faults.hiccup_every
        if every and number % every == 0:
            return _build_error(500 if number // every % 2 == 0 else 503, "a hiccup; please try again")
        return None


def make_app(
    data: SampleData | None = None, faults: Faults | None = None, now: Callable[[], float] = time.monotonic
) -> web.Application:
    """Return the API over some data."""
    upstream = SampleUpstream(data or SampleData(), faults or Faults(), now)
    app = web.Application(middlewares=[upstream.guard])
    app.router.add_get("/users", upstream.list_users)
    app.router.add_get("/tickets", upstream.list_tickets)
    app.router.add_get("/tickets/{ticket_id}/comments", upstream.list_comments)
    app.router.add_get("/stats", upstream.show_stats)
    return app


def _build_page(request: web.Request, rows: Sequence[JsonObject]) -> web.Response:
    """Return the page of ``limit`` and ``cursor``."""
    cursor = _CURSOR.fullmatch(request.query.get("cursor", "after-0"))
    limit = request.query.get("limit", str(PAGE_SIZE))
    if cursor is None or not re.fullmatch(r"[1-9]\d{0,2}", limit):
        return _build_error(400, "expected a cursor that this API gave, and a limit from 1 to 999")
    start = int(cursor[1])
    end = start + min(int(limit), PAGE_SIZE)
    return web.json_response({"data": rows[start:end], "next_cursor": f"after-{end}" if end < len(rows) else None})


def _build_error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": message}, status=status, headers=headers)


if __name__ == "__main__":
    serve(make_app())
