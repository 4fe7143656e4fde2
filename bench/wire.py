"""A client that costs little: requests over kept connections, timed one by one, many side by side."""

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final, Self
from urllib.parse import urlsplit

from app.engine.json_types import JSON, JsonObject
from bench.measurement import BenchError

_HEAD_END: Final = b"\r\n\r\n"
_TIMEOUT_SECONDS: Final = 60.0


class Wire:
    """One kept connection to a server; a context manager."""

    def __init__(self, url: str, *, token: str = "") -> None:
        parts = urlsplit(url)
        self._prefix = parts.path.rstrip("/")
        lines = [f"Host: {parts.netloc}", *([f"Authorization: Bearer {token}"] if token else [])]
        self._headers = "".join(f"{line}\r\n" for line in lines)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), _TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str) -> JsonObject:
        """Read a JSON object."""
        return _checked(self.call("GET", path), path)

    def post(self, path: str, body: JSON) -> JsonObject:
        """Send a JSON object and read the answer."""
        return _checked(self.call("POST", path, json.dumps(body).encode()), path)

    def call(self, method: str, path: str, body: bytes = b"", head: str = "") -> tuple[int, bytes]:
        """Make a request, with other headers than those of the connection; give the answer's status and content."""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._headers}{head}{kind}\r\n"
        self._socket.sendall(head.encode() + body)
        return self._receive()

    def _receive(self) -> tuple[int, bytes]:
        gathered = self._more(b"")
        while _HEAD_END not in gathered:
            gathered = self._more(gathered)
        head, _, content = gathered.partition(_HEAD_END)
        lines = head.decode().lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), None)
        if length is None:
            raise BenchError(f"an answer without a length: {lines[0]}")
        parts, missing = [content], length - len(content)
        while missing > 0:
            parts.append(self._more(b""))
            missing -= len(parts[-1])
        return int(lines[0].split(" ", 2)[1]), b"".join(parts)

    def _more(self, before: bytes) -> bytes:
        if not (data := self._socket.recv(262_144)):
            raise BenchError("a server closed a connection that was to be kept")
        return before + data


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to be made among many."""

    method: str
    path: str
    body: bytes = b""
    head: str = field(default="", repr=False)
    """More headers, each with the end of its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What many requests came to."""

    seconds: float
    """From the first request to the last answer."""
    latencies: Sequence[float]
    """Of each request, in seconds, in no order."""
    answers: Sequence[bytes]

    @property
    def rate(self) -> float:
        """Return how many requests a second were answered."""
        return len(self.latencies) / self.seconds


def load(url: str, calls: Sequence[Call], *, connections: int, token: str = "", status: int = 200) -> Load:
    """Make all the calls over so many connections at once; raise BenchError for an answer with any other status."""
    waiting: SimpleQueue[Call] = SimpleQueue()
    for call in calls:
        waiting.put(call)
    start = threading.Barrier(connections + 1)
    with ThreadPoolExecutor(connections) as pool:
        series = [pool.submit(_series, url, token, waiting, start, status) for _ in range(connections)]
        start.wait(_TIMEOUT_SECONDS)
        began = time.monotonic()
        done = [timed for one in series for timed in one.result()]
        seconds = time.monotonic() - began
    return Load(seconds=seconds, latencies=[latency for latency, _ in done], answers=[answer for _, answer in done])


def read(url: str) -> JsonObject:
    """Read a JSON object over a connection of its own."""
    parts = urlsplit(url)
    with Wire(f"{parts.scheme}://{parts.netloc}") as wire:
        return wire.get(parts.path)


def _series(
    url: str, token: str, waiting: "SimpleQueue[Call]", start: threading.Barrier, status: int
) -> Sequence[tuple[float, bytes]]:
    done: list[tuple[float, bytes]] = []
    with Wire(url, token=token) as wire:
        start.wait(_TIMEOUT_SECONDS)
        while True:
            try:
                call = waiting.get_nowait()
            except Empty:
                return done
            began = time.monotonic()
            got, content = wire.call(call.method, call.path, call.body, call.head)
            done.append((time.monotonic() - began, content))
            if got != status:
                raise BenchError(f"{call.method} {call.path} answered {got}: {content[:300]!r}")


def _checked(answer: tuple[int, bytes], path: str) -> JsonObject:
    status, content = answer
    if status >= 300:
        raise BenchError(f"{path} answered {status}: {content[:300]!r}")
    found: Mapping[str, JSON] = json.loads(content)
    return dict(found)
