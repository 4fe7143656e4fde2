"""Reads that hang are sent a second time on another connection, and the late answer is dropped."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from app import meters
from app.engine.record_errors import SourceError
from app.services.ports import FetchedPage
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Received, Upstream, reply

SOON_ENOUGH: Final = 55
"""So many requests show what is usual, and make one of fifty."""


class HangingUpstream:
    """Answers at once, but for the first request of one page, to which it says nothing until its client leaves."""

    def __init__(self, upstream: Upstream, *, hung: str = "", headers: dict[str, str] | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.abandoned = threading.Event()
        """Set once the client has closed the connection on which nothing came."""
        self._hung = hung
        self._headers = {"Connection": "close", **(headers or {})}
        upstream.conversation = self._talk

    async def _talk(self, request: Received, writer: asyncio.StreamWriter) -> None:
        page = dict(request.query).get("page", request.method)
        self.asked[page] += 1
        if page == self._hung and self.asked[page] == 1:
            await self._wait_until_closed(writer)
            return
        writer.write(reply([{"id": f"r{page}"}] if int(page) <= SOON_ENOUGH + 5 else [], headers=self._headers))
        await writer.drain()

    async def _wait_until_closed(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 Said\r\nX-Slow: ")
        while not writer.is_closing():
            writer.write(b"-")
            await asyncio.sleep(0.02)
        self.abandoned.set()


@pytest.fixture
def client(upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Client]:
    source = HttpSource(replace(SETTINGS, requests_per_account=8, **getattr(request, "param", {})))
    yield Client(source, upstream.url)
    source.close()


def read_pages(client: Client, **parts: Any) -> list[FetchedPage]:
    config = client.config(resources={"things": {"list": {"path": "/things", "pagination": None}}}, **parts)
    asked = [{"page": str(number)} for number in range(1, SOON_ENOUGH + 1)]
    return [client.fetch(config, query=query, integration="hanging") for query in asked]


def count_unanswered() -> float:
    return meters.UPSTREAM_REQUESTS.labels("hanging", "none")._value.get()


def test_a_read_that_hangs_is_sent_again_and_read_once(client: Client, upstream: Upstream) -> None:
    hanging = HangingUpstream(upstream, hung=str(SOON_ENOUGH))
    before = count_unanswered()

    pages = read_pages(client)

    assert [page.records for page in pages] == [[{"id": f"r{number}"}] for number in range(1, SOON_ENOUGH + 1)]
    assert {page: times for page, times in hanging.asked.items() if times > 1} == {str(SOON_ENOUGH): 2}
    assert [warning.code for warning in pages[-1].warnings] == ["asked_again"]
    assert hanging.abandoned.wait(timeout=10)
    assert count_unanswered() - before == 1


@pytest.mark.parametrize(
    ("client", "parts"),
    [
        ({"request_timeout_seconds": 1.0, "ask_again_percent": 0.0}, {}),
        ({"request_timeout_seconds": 1.0}, {"rate_limit": {"requests": 5000, "per_seconds": 1}}),
        # Nothing is more than three times as late as a quarter of a second, before the request is given up.
        ({"request_timeout_seconds": 0.25}, {}),
    ],
    ids=["turned off", "paced", "given up first"],
    indirect=["client"],
)
def test_a_read_is_not_sent_again_beside_one_that_hangs(
    client: Client, upstream: Upstream, parts: dict[str, Any]
) -> None:
    hanging = HangingUpstream(upstream, hung=str(SOON_ENOUGH))

    pages = read_pages(client, **parts)

    # After its timeout it is sent again, as any request.
    assert hanging.asked[str(SOON_ENOUGH)] == 2
    assert pages[-1].warnings == ()


@pytest.mark.parametrize("client", [{"request_timeout_seconds": 1.0}], indirect=True)
def test_a_write_is_never_sent_again(client: Client, upstream: Upstream) -> None:
    hanging = HangingUpstream(upstream, hung="99")
    create = {"path": "/things", "method": "post", "query": {"page": "{{query.page}}"}}
    config = client.config(resources={"things": {"create": create}})

    def write(page: int) -> FetchedPage:
        return client.fetch(config, method="create", query={"page": str(page)}, body={}, integration="hanging")

    for number in range(1, SOON_ENOUGH + 1):
        write(number)
    with pytest.raises(SourceError) as caught:
        write(99)

    assert caught.value.code == "timeout"
    assert max(hanging.asked.values()) == 1
