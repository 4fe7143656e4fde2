"""A fast upstream: worlds whose pages are encoded before they are asked for.

GET /<world>/prepare              encodes what it can keep, so that no measurement waits for it
GET /<world>/tickets?cursor=K     {"data": [...], "next_cursor": K+1 or null}
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
from urllib.parse import parse_qs, urlsplit

from bench.servers.raw_http import RawConnection, serve
from bench.worlds import World, comment_page, mark_page, ticket_page, world_named

_MOST_ARRIVALS = 20_000


@dataclass(slots=True)
class Statistics:
    """What a world was asked for."""

    requests: int = 0
    under_way: int = 0
    peak_concurrency: int = 0
    arrivals: list[float] = field(default_factory=list)
    """When requests came, on this machine's monotonic clock, which all processes share."""

    def begin(self) -> None:
        """Count a request that has come."""
        self.requests += 1
        self.under_way += 1
        self.peak_concurrency = max(self.peak_concurrency, self.under_way)
        if len(self.arrivals) < _MOST_ARRIVALS:
            self.arrivals.append(time.monotonic())


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
        if not world.delay_ms:
            self._answer_now(world, rest, statistics)
            return
        asyncio.get_running_loop().call_later(world.delay_ms / 1000, self._answer_now, world, rest, statistics)

    def _answer_now(self, world: World, rest: str, statistics: Statistics) -> None:
        statistics.under_way -= 1
        content = _content(world, rest)
        if content is None:
            self.answer(b"{}", status=b"404 Not Found")
        else:
            self.answer(content)


def _prepare(world: World) -> None:
    for page in range(world.pages):
        ticket_page(world.records, world.page_size, page)


def _content(world: World, rest: str) -> bytes | None:
    url = urlsplit(rest)
    query = parse_qs(url.query)
    match url.path.split("/"):
        case ["tickets"]:
            return ticket_page(world.records, world.page_size, int(query.get("cursor", ["0"])[0]))
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
