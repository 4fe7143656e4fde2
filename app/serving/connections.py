"""A client's connection whose socket never blocks: what can not be sent at once waits, and no worker with it."""

import errno
import mmap
import select
import socket
import tempfile
from collections import deque
from typing import Any, Final

from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from app.serving.patience import Patience
from app.serving.request_reading import RequestReading

_LEAST_SPOOLED_BYTES: Final = 256 * 1024
"""What is shorter stays in memory: a file for each of many pieces would take too many of them."""


class PatientSocket(socket.socket):
    """A socket as gunicorn's threads see it: all of a request has come in before, and answers are taken off at once."""

    def become_patient(self, patience: Patience) -> None:
        """Never block from now on."""
        super().setblocking(False)
        self._patience = patience
        self._waiting: deque[tuple[memoryview, bool]] = deque()
        """What was kept, and whether it is in a file."""
        self.unsent = 0
        self.spooled = 0
        """How much of it is in files."""

    def setblocking(self, flag: bool) -> None:
        """Stay as it is; gunicorn's threads ask for a socket that blocks."""

    def settimeout(self, value: float | None) -> None:
        """Stay as it is."""

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Read what has come in; nothing is the end, for a thread waits for no client."""
        try:
            return super().recv(bufsize, flags)
        except BlockingIOError:
            return b""

    def read(self, size: int) -> bytes | None:
        """Read what has come in; None when that is nothing yet."""
        try:
            return super().recv(size)
        except BlockingIOError:
            return None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what goes out at once and keep the rest; wait only while too much of it was kept in memory."""
        view = memoryview(data).cast("B")
        if not self._waiting:
            view = view[self._sent(view) :]
        if view:
            self._keep(view)
        while self.in_memory > self._patience.largest_answer_ahead:
            self._await_reader()
            self.flush()

    def flush(self) -> None:
        """Send what goes out at once of what was kept."""
        while self._waiting:
            view, is_spooled = self._waiting.popleft()
            sent = self._sent(view)
            self.unsent -= sent
            self.spooled -= sent if is_spooled else 0
            if sent < len(view):
                self._waiting.appendleft((view[sent:], is_spooled))
                return

    @property
    def in_memory(self) -> int:
        """How much of what was kept is in no file."""
        return self.unsent - self.spooled

    def _keep(self, view: memoryview) -> None:
        ahead = self.in_memory + len(view)
        is_spooled = ahead > self._patience.largest_answer_ahead and len(view) >= _LEAST_SPOOLED_BYTES
        self._waiting.append((_in_a_file(view) if is_spooled else view, is_spooled))
        self.unsent += len(view)
        self.spooled += len(view) if is_spooled else 0

    def _sent(self, view: memoryview) -> int:
        try:
            return self.send(view)
        except BlockingIOError:
            return 0

    def _await_reader(self) -> None:
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        if not poll.poll(1000 * self._patience.body_seconds):
            raise BrokenPipeError(errno.EPIPE, "the client does not read its answer")


def _in_a_file(view: memoryview) -> memoryview:
    """Write bytes into a file without a name, which is there for as long as they are looked at."""
    with tempfile.TemporaryFile() as file:
        file.write(view)
        file.flush()
        return memoryview(mmap.mmap(file.fileno(), len(view), access=mmap.ACCESS_READ))


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection with what has come in of its next request."""

    def __init__(self, cfg: Config, sock: socket.socket, client: Any, server: Any, patience: Patience) -> None:
        patient = PatientSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        patient.become_patient(patience)
        super().__init__(cfg, patient, client, server)
        self.address = address_of(client)
        self.is_of_proxy = False
        """Its other end is a trusted proxy, which asks for many clients."""
        self.reading: RequestReading | None = None
        self.is_whole = True
        """All of the request came in; else the connection ends with its answer."""
        self.keeps_alive = False
        """What becomes of it once its answer has gone out."""
        self.began_at = 0.0
        self.deadline = 0.0
        self.moved_bytes = 0
        self.is_unfinished = False
        self.data_ready = True

    def take_request(self) -> bytes:
        """Return the bytes that have come in."""
        assert self.reading is not None
        data, self.reading = bytes(self.reading.buffer), None
        return data

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing of a request has come in, and nothing of an answer has to go out."""
        return not (self.held_bytes or self.sock.unsent)

    @property
    def held_bytes(self) -> int:
        """How much memory its client holds here."""
        return int(self.sock.in_memory) + (len(self.reading.buffer) if self.reading else 0)


def address_of(client: Any) -> str:
    """Name what a client is counted by: an IPv4 address or an IPv6 network of 64 bits; nothing for a unix socket."""
    if not isinstance(client, tuple):
        return ""
    host = str(client[0]).partition("%")[0]
    if ":" not in host:
        return host
    # An IPv4 address that was mapped into IPv6 is written with dots.
    return host.rpartition(":")[2] if "." in host else socket.inet_pton(socket.AF_INET6, host).hex()[:16]
