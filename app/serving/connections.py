"""A client's connection whose socket never blocks: what can not be sent at once waits, and no worker with it."""

import errno
import select
import socket
from collections import deque
from typing import Any

from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from app.serving.patience import Patience
from app.serving.request_reading import RequestReading


class PatientSocket(socket.socket):
    """A socket as gunicorn's threads see it: all of a request has come in before, and answers are taken off at once."""

    def become_patient(self, patience: Patience) -> None:
        """Never block from now on."""
        super().setblocking(False)
        self._patience = patience
        self._waiting: deque[memoryview] = deque()
        self.unsent = 0

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
        """Send what goes out at once and keep the rest; wait only while too much of it was kept."""
        view = memoryview(data).cast("B")
        if not self._waiting:
            view = view[self._sent(view) :]
        if view:
            self._waiting.append(view)
            self.unsent += len(view)
        while self.unsent > self._patience.largest_answer_ahead:
            self._await_reader()
            self.flush()

    def flush(self) -> None:
        """Send what goes out at once of what was kept."""
        while self._waiting:
            view = self._waiting.popleft()
            sent = self._sent(view)
            self.unsent -= sent
            if sent < len(view):
                self._waiting.appendleft(view[sent:])
                return

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
        """Give the bytes that have come in."""
        assert self.reading is not None
        data, self.reading = bytes(self.reading.buffer), None
        return data

    @property
    def held_bytes(self) -> int:
        """How much memory its client holds here."""
        return int(self.sock.unsent) + (len(self.reading.buffer) if self.reading else 0)


def address_of(client: Any) -> str:
    """Name what a client is counted by: an IPv4 address or an IPv6 network of 64 bits; nothing for a unix socket."""
    if not isinstance(client, tuple):
        return ""
    host = str(client[0]).partition("%")[0]
    if ":" not in host:
        return host
    # An IPv4 address that was mapped into IPv6 is written with dots.
    return host.rpartition(":")[2] if "." in host else socket.inet_pton(socket.AF_INET6, host).hex()[:16]
