"""A fast upstream: worlds whose pages are encoded before they are asked for.

GET /<world>/prepare              encodes what it can keep, so that no measurement waits for it
GET /<world>/tickets?cursor=K     {"data": [...], "next_cursor": K+1 or null}; also by "page" from 1 on, or by "offset";
                                  "X-Total-Count" tells how many there are
    &from=A&to=B                  only the tickets whose ids are in [A, B), of which the cursor then counts the pages
    &trouble=1                    of a hundred pages one is answered 503 when it is first asked for, and one after 30 s
    &per_second=N                 answers 429 to more than N requests in a second
GET /<world>/comments?ticket=ID   {"data": [...], "next_cursor": null}; also /<world>/tickets/ID/comments;
                                  a second page ("page=2") is empty
GET /<world>/marks/prepare        encodes all marks
GET /<world>/marks                {"data": [all of them], "next_cursor": null}
GET /<world>/stats                {"requests": n, "peak_concurrency": n, "arrivals": [seconds, ...]}
"""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from bench.servers.raw_http import RawConnection, serve
from bench.worlds import World, comment_page, mark_page, ranged_page, ticket_page, world_named

Query: TypeAlias = dict[str, list[str]]

_MOST_ARRIVALS = 20_000
_HANGS_SECONDS = 30.0
_HEADERS = b"Content-Type: application/json\r\n"


@dataclass(slots=True)
class Statistics:
    """What a world was asked for."""

    requests: int = 0
    under_way: int = 0
    peak_concurrency: int = 0
    arrivals: list[float] = field(default_factory=list)
    """When requests came, on this machine's monotonic clock, which all processes share."""
    refused: int = 0
    served: list[float] = field(default_factory=list)
    """When the requests of the last second were served."""
    troubled: dict[int, int] = field(default_factory=dict)
    """How often each page that makes trouble was asked for."""

    def begin(self) -> None:
        """Count a request that has come."""
        self.requests += 1
        self.under_way += 1
        self.peak_concurrency = max(self.peak_concurrency, self.under_way)
        if len(self.arrivals) < _MOST_ARRIVALS:
            self.arrivals.append(time.monotonic())

    def may_serve(self, query: "Query") -> bool:
        """Whether a request is within the limit that it names."""
        if "per_second" not in query:
            return True
        now = time.monotonic()
        self.served = [moment for moment in self.served if moment > now - 1.0]
        if len(self.served) >= int(query["per_second"][0]):
            return False
        self.served.append(now)
        return True

    def is_first(self, page: int) -> bool:
        """Count a request for a page that makes trouble; tell whether it is the first."""
        self.troubled[page] = self.troubled.get(page, 0) + 1
        return self.troubled[page] == 1


_statistics: defaultdict[str, Statistics] = defaultdict(Statistics)


class UpstreamConnection(RawConnection):
    """A client's connection."""

    def received(self, method: str, path: str, head: bytes, body: bytes) -> None:
        """Answer after the world's delay."""
        name, _, rest = path[1:].partition("/")
        statistics = _statistics[name]
        match rest:
            case "stats":
                self.answer(json.dumps(asdict(statistics)).encode())
            case "prepare":
                _prepare(world_named(name))
                self.answer(b"{}")
            case "marks/prepare":
                mark_page(world_named(name).records)
                self.answer(b"{}")
            case _:
                statistics.begin()
                self._answer_later(world_named(name), rest, statistics)

    def _answer_later(self, world: World, rest: str, statistics: Statistics) -> None:
        seconds = world.delay_ms / 1000 + (_HANGS_SECONDS if _hangs(world, rest, statistics) else 0)
        if not seconds:
            self._answer_now(world, rest, statistics)
            return
        asyncio.get_running_loop().call_later(seconds, self._answer_now, world, rest, statistics)

    def _answer_now(self, world: World, rest: str, statistics: Statistics) -> None:
        statistics.under_way -= 1
        query = parse_qs(urlsplit(rest).query)
        if not statistics.may_serve(query):
            statistics.refused += 1
            self.answer(b"{}", status=b"429 Too Many Requests")
            return
        if _fails(world, query, statistics):
            self.answer(b"{}", status=b"503 Service Unavailable")
            return
        content = _content(world, rest)
        if content is None:
            self.answer(b"{}", status=b"404 Not Found")
        else:
            self.answer(content, headers=_HEADERS + b"X-Total-Count: %d\r\n" % world.records)


def _page(world: World, query: Query) -> int:
    """Read which page is asked for, from 0 on."""
    if "page" in query:
        return int(query["page"][0]) - 1
    if "offset" in query:
        return int(query["offset"][0]) // world.page_size
    return int(query.get("cursor", ["0"])[0])


def _hangs(world: World, rest: str, statistics: Statistics) -> bool:
    """Whether this is the first request for a page that hangs."""
    query = parse_qs(urlsplit(rest).query)
    return "trouble" in query and _page(world, query) % 100 == 71 and statistics.is_first(_page(world, query))


def _fails(world: World, query: Query, statistics: Statistics) -> bool:
    """Whether this is the first request for a page that fails."""
    return "trouble" in query and _page(world, query) % 100 == 37 and statistics.is_first(_page(world, query))


def _prepare(world: World) -> None:
    for page in range(world.pages):
        ticket_page(world.records, world.page_size, page)


def _content(world: World, rest: str) -> bytes | None:
    url = urlsplit(rest)
    query = parse_qs(url.query)
    match url.path.split("/"):
        case ["tickets"] if "from" in query or "to" in query:
            first, end = int(query.get("from", ["1"])[0]), int(query.get("to", [str(world.records + 1)])[0])
            return ranged_page(world, _page(world, query), first=max(1, first), end=min(end, world.records + 1))
        case ["tickets"]:
            return ticket_page(world.records, world.page_size, _page(world, query))
        case ["tickets", ticket_id, "comments"]:
            return comment_page(int(ticket_id))
        case ["comments"]:
            return comment_page(int(query["ticket"][0]), int(query.get("page", ["1"])[0]))
        case ["marks"]:
            return mark_page(world.records)
        case _:
            return None


if __name__ == "__main__":
    serve(UpstreamConnection)
