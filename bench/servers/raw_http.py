"""HTTP/1.1 with as little work as possible, so that no server of a benchmark is what it measures."""

import asyncio
import socket
import sys
from abc import abstractmethod
from collections.abc import Callable
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class RawConnection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    @abstractmethod
    def received(self, method: str, path: str, head: bytes, body: bytes) -> None:
        """Take a whole request in; ``answer`` is called now or later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather a request until it is whole."""
        self._parts.append(data)
        if self._missing:
            self._missing = max(0, self._missing - len(data))
            if self._missing:
                return
        gathered = b"".join(self._parts)
        head, end, body = gathered.partition(_HEAD_END)
        if not end:
            self._parts = [gathered]
            return
        self._missing = _content_length(head) - len(body)
        if self._missing > 0:
            self._parts = [gathered]
            return
        self._parts, self._missing = [], 0
        method, path, _ = head.split(b" ", 2)
        self.received(method.decode(), path.decode(), head, body)

    def answer(
        self, body: bytes, *, status: bytes = b"200 OK", headers: bytes = b"Content-Type: application/json\r\n"
    ) -> None:
        """Answer the request, if its sender is still there."""
        if self._transport is None or self._transport.is_closing():
            return
        head = b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n" % (status, headers, len(body))
        self._transport.writelines([head, body])


def serve(make: Callable[[], RawConnection]) -> None:
    """Serve on the listening socket whose descriptor is the program's only argument, until a signal ends it."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.setblocking(False)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(make, sock=listener)
        await server.serve_forever()

    asyncio.run(run())


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    return int(lowered[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
