"""A real HTTP server on a socket that answers byte for byte what a test tells it to."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from app.engine.integrations.config import IntegrationConfig, parse_config
from app.net.addresses import LOOPBACK
from app.net.loop import LoopThread
from app.services.ports import FetchedPage, PageCall
from app.settings import Settings
from app.sources.http_source import HttpSource
from tests.support.patience import LONGEST_SECONDS

SETTINGS = Settings(
    database_url="-",
    broker_url="-",
    encryption_key="-",
    request_timeout_seconds=10.0,
    request_attempts=3,
    retry_base_seconds=0.01,
    response_limit_bytes=1_000_000,
    requests_per_account=4,
    allowed_networks=LOOPBACK,
)


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


Answer = Callable[[Received], bytes]
Conversation = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def reply(
    body: Any = None, status: int = 200, headers: dict[str, str] | None = None, raw: bytes | None = None
) -> bytes:
    content = json.dumps(body).encode() if raw is None else raw
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


class Upstream:
    """Answers every request by ``answer``, or lets ``conversation`` do what it wants with the socket."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _request: reply([])
        self.conversation: Conversation | None = None
        self.received: list[Received] = []
        self.connections = 0
        self._conversations: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._loop = LoopThread("upstream")
        self._server = self._loop.submit(asyncio.start_server(self._serve, "127.0.0.1", 0)).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def in_turn(self, *answers: bytes) -> None:
        """Give these answers one after the other, and the last one for ever."""
        left = list(answers)
        self.answer = lambda _request: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self._loop.submit(self._close()).result()
        self._loop.close()

    async def _close(self) -> None:
        # asyncio leaks a connection that it is accepting while its server closes: let those that wait in first.
        for _ in range(3):
            await asyncio.sleep(0)
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer, conversation in self._conversations.items():
                writer.transport.abort()
                conversation.cancel()
            await asyncio.wait(others, timeout=0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._conversations[writer] = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                if self.conversation is not None:
                    await self.conversation(request, writer)
                    return
                writer.write(self.answer(request))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, target, _ = line.split()
    headers = {}
    while text := (await reader.readline()).decode().strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    return Received(method, target, headers, await reader.readexactly(length))


class Client:
    """Asks an upstream through a real HttpSource."""

    def __init__(self, source: HttpSource, base_url: str) -> None:
        self.source = source
        self.base_url = base_url

    def config(self, **parts: Any) -> IntegrationConfig:
        config, failures = parse_config({"base_url": self.base_url, **parts})
        assert not failures
        assert config is not None
        return config

    def fetch(self, config: IntegrationConfig | None = None, **call: Any) -> FetchedPage:
        defaults: dict[str, Any] = {"account_id": "a", "context": {}, "resource": "things", "method": "list"}
        return self.source.submit(PageCall(config=config or self.config(), **{**defaults, **call})).result(
            timeout=LONGEST_SECONDS
        )

    def pages(self, config: IntegrationConfig, **call: Any) -> list[FetchedPage]:
        """Read a list to its end, or to its fault."""
        pages: list[FetchedPage] = []
        cursor = None
        for _ in range(100):
            pages.append(self.fetch(config, cursor=json.loads(json.dumps(cursor)), **call))
            if not pages[-1].leads_on:
                return pages
            cursor = pages[-1].next_cursor
        raise AssertionError("the listing does not end")

    def fetch_all(self, config: IntegrationConfig, **call: Any) -> list[Any]:
        pages = self.pages(config, **call)
        if pages[-1].fault is not None:
            raise pages[-1].fault
        return [record for page in pages for record in page.records]
