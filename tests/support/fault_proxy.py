"""A proxy between Ferryman and Postgres that answers chosen statements by an error of any SQLSTATE.

It reads as much of the protocol as it takes to know what a client asks, prepared before or not:
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

_HEAD: Final = struct.Struct("!I")
_PLAIN, _ENCRYPTED = b"N", {80877103, 80877104}
_ENDING: Final = ("57P01", "57P02", "57P03", "57P05", "08006")
"""Postgres ends the session by these."""


@dataclass(slots=True)
class Fault:
    """An error that the next statements with a text get."""

    sqlstate: str
    within: str
    times: int
    met: int = 0


@dataclass(slots=True)
class FaultProxy:
    """Listens on a port of this machine, and hands on what it has no fault for."""

    server: Path
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _fault: Fault | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)
    sessions: int = 0
    """How many were made so far."""

    def url(self, database_url: str) -> str:
        """Lead a URL of the server through the proxy."""
        named = conninfo_to_dict(database_url)
        return f"postgresql://{named['user']}@127.0.0.1:{self.port}/{named['dbname']}?sslmode=disable"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    @contextmanager
    def injecting(self, sqlstate: str, *, within: str = "", times: int = 1_000_000) -> Iterator[Fault]:
        """Have so many statements that hold a text fail."""
        self._fault = fault = Fault(sqlstate, within.lower(), times)
        try:
            yield fault
        finally:
            self._fault = None

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._session, args=[client], daemon=True).start()

    def close(self) -> None:
        """End all sessions."""
        # Closing alone would not wake who waits in accept().
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def take(self, sql: str) -> str | None:
        """Return the SQLSTATE that a statement fails with."""
        with self._lock:
            fault = self._fault
            if fault is None or not fault.times or fault.within not in sql.lower():
                return None
            fault.times -= 1
            fault.met += 1
            return fault.sqlstate

    def _session(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        self._open += [client, server]
        self.sessions += 1
        with client, server, suppress(OSError, EOFError):
            server.connect(str(self.server))
            _Session(self, client, server).run()


class _Session:
    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._prepared: dict[bytes, str] = {}
        self._has_failed = False
        """The client was told of an error that Postgres knows nothing of."""

    def run(self) -> None:
        self._start()
        threading.Thread(target=self._answers, daemon=True).start()
        is_skipping = False
        while True:
            kind, body = _message(self._client)
            if is_skipping and kind != b"S":
                continue
            is_skipping = False
            sqlstate = self._proxy.take(sql) if (sql := self._sql(kind, body)) else None
            if sqlstate is None:
                self._server.sendall(kind + _HEAD.pack(len(body) + 4) + body)
                continue
            self._has_failed = True
            self._client.sendall(_error(sqlstate))
            if sqlstate in _ENDING:
                # What ends the session ends its transaction too.
                self._client.shutdown(socket.SHUT_RDWR)
                return
            if kind == b"Q":
                self._server.sendall(b"S" + _HEAD.pack(4))
            is_skipping = kind != b"Q"

    def _start(self) -> None:
        while True:
            head = _exactly(self._client, 4)
            body = _exactly(self._client, _HEAD.unpack(head)[0] - 4)
            if _HEAD.unpack(body[:4])[0] in _ENCRYPTED:
                self._client.sendall(_PLAIN)
                continue
            self._server.sendall(head + body)
            return

    def _sql(self, kind: bytes, body: bytes) -> str:
        """Return what a message asks for; nothing for what makes no statement."""
        if kind == b"Q":
            return body.rstrip(b"\0").decode()
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            self._prepared[name] = sql.decode()
        if kind == b"B":
            return self._prepared.get(body.split(b"\0", 2)[1], "")
        return ""

    def _answers(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                kind, body = _message(self._server)
                if kind == b"Z" and self._has_failed:
                    # In a transaction the client has to know that it failed.
                    body, self._has_failed = (b"E" if body == b"T" else body), False
                self._client.sendall(kind + _HEAD.pack(len(body) + 4) + body)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


def _message(end: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(end, 1)
    return kind, _exactly(end, _HEAD.unpack(_exactly(end, 4))[0] - 4)


def _exactly(end: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = end.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _error(sqlstate: str) -> bytes:
    severity = b"FATAL" if sqlstate in _ENDING else b"ERROR"
    fields = b"S%b\0V%b\0C%b\0Minjected\0\0" % (severity, severity, sqlstate.encode())
    return b"E" + _HEAD.pack(len(fields) + 4) + fields


@contextmanager
def running_proxy(server: Path) -> Iterator[FaultProxy]:
    """Run a proxy before the socket of a Postgres until the block ends."""
    proxy = FaultProxy(server)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(timeout=10)
