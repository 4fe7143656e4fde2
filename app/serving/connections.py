"""A client's connection whose socket never blocks: unsent bytes are kept, and no thread waits for a client."""

import errno
import mmap
import select
import socket
import tempfile
import time
from collections import deque
from typing import Any, Final

from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from app.serving.patience import Patience
from app.serving.request_reading import RequestReading

_LEAST_SPOOLED_BYTES: Final = 256 * 1024
"""Shorter pieces stay in memory: a file for each would take too many files."""


class PatientSocket(socket.socket):
    """The socket for gunicorn's threads: the request is complete before, and answers never block."""

    def become_patient(self, patience: Patience) -> None:
        """Stop blocking."""
        super().setblocking(False)
        self._patience = patience
        self._waiting: deque[tuple[memoryview, bool]] = deque()
        """Unsent bytes, and whether they are in a file."""
        self.unsent = 0
        self.spooled = 0
        """How many unsent bytes are in files."""
        self._waited_seconds = 0.0
        """How long threads have waited for the client to read."""
        self._read_late = 0
        """How many bytes it has read since it was first waited for."""

    def setblocking(self, flag: bool) -> None:
        """Do nothing: gunicorn's threads ask for a blocking socket."""

    def settimeout(self, value: float | None) -> None:
        """Do nothing."""

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Read the received bytes; none is the end, since a thread never waits for a client."""
        try:
            return super().recv(bufsize, flags)
        except BlockingIOError:
            return b""

    def read(self, size: int) -> bytes | None:
        """Read the received bytes; None when there are none yet."""
        try:
            return super().recv(size)
        except BlockingIOError:
            return None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send without blocking and keep the rest; wait only while too much of it is in memory."""
        view = memoryview(data).cast("B")
        if not self._waiting:
            view = view[self._try_send(view) :]
        if view:
            self._keep(view)
        while self.in_memory > self._patience.largest_answer_ahead:
            self._await_reader()
            self.flush()

    def flush(self) -> None:
        """Send kept bytes without blocking."""
        while self._waiting:
            view, is_spooled = self._waiting.popleft()
            sent = self._try_send(view)
            self.unsent -= sent
            self._read_late += sent if self._waited_seconds else 0
            self.spooled -= sent if is_spooled else 0
            if sent < len(view):
                self._waiting.appendleft((view[sent:], is_spooled))
                return

    @property
    def in_memory(self) -> int:
        """How many unsent bytes are in memory."""
        return self.unsent - self.spooled

    def _keep(self, view: memoryview) -> None:
        ahead = self.in_memory + len(view)
        is_spooled = ahead > self._patience.largest_answer_ahead and len(view) >= _LEAST_SPOOLED_BYTES
        self._waiting.append((_spool(view) if is_spooled else view, is_spooled))
        self.unsent += len(view)
        self.spooled += len(view) if is_spooled else 0

    def _try_send(self, view: memoryview) -> int:
        try:
            return self.send(view)
        except BlockingIOError:
            return 0

    def _await_reader(self) -> None:
        """Wait until the client reads on; one that reads too little for the time that it has taken is given up."""
        patience = self._patience
        left = patience.body_seconds + self._read_late / patience.bytes_per_second - self._waited_seconds
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        began_at = time.monotonic()
        if left <= 0 or not poll.poll(1000 * min(left, patience.body_seconds)):
            raise BrokenPipeError(errno.EPIPE, "the client does not read its answer")
        self._waited_seconds += time.monotonic() - began_at


def _spool(view: memoryview) -> memoryview:
    """Write bytes into an unnamed file, which exists as long as the returned view."""
    with tempfile.TemporaryFile() as file:
        file.write(view)
        file.flush()
        return memoryview(mmap.mmap(file.fileno(), len(view), access=mmap.ACCESS_READ))


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection with the received part of its next request."""

    def __init__(self, cfg: Config, sock: socket.socket, client: Any, server: Any, patience: Patience) -> None:
        patient = PatientSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        patient.become_patient(patience)
        super().__init__(cfg, patient, client, server)
        self.address = find_address(client)
        self.is_of_proxy = False
        """The other end is a trusted proxy, which sends requests of many clients."""
        self.reading: RequestReading | None = None
        self.is_whole = True
        """The request was received completely; otherwise the connection ends with its answer."""
        self.keeps_alive = False
        """It stays open after the answer."""
        self.began_at = 0.0
        self.deadline = 0.0
        self.moved_bytes = 0
        self.is_unfinished = False
        self.data_ready = True

    def take_request(self) -> bytes:
        """Return the received bytes."""
        assert self.reading is not None
        data, self.reading = bytes(self.reading.buffer), None
        return data

    @property
    def is_between_requests(self) -> bool:
        """Whether no byte of a request is received, and none of an answer is unsent."""
        return not (self.held_bytes or self.sock.unsent)

    @property
    def held_bytes(self) -> int:
        """The memory that its client uses here."""
        return int(self.sock.in_memory) + (len(self.reading.buffer) if self.reading else 0)


def find_address(client: Any) -> str:
    """Return the address that a client is counted by: IPv4, or the IPv6 network of 64 bits; empty for a unix socket."""
    if not isinstance(client, tuple):
        return ""
    host = str(client[0]).partition("%")[0]
    if ":" not in host:
        return host
    # An IPv4 address that was mapped into IPv6 is written with dots.
    return host.rpartition(":")[2] if "." in host else socket.inet_pton(socket.AF_INET6, host).hex()[:16]
