"""A proxy before an HTTP server that refuses, hangs, or loses answers, for as many connections as a test asks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_SLOW_SECONDS: Final = 2.0
_BUSY: Final = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class HttpFaults:
    """Listens on a port of this machine; what it does to the next connections is put into ``faults``."""

    upstream: tuple[str, int]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    faults: list[str] = field(default_factory=list)
    """Each is ``busy``, ``hang``, ``slow``, or ``lose``: the request arrives, its answer does not."""
    met: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self._open.append(client)
                threading.Thread(target=self._handle, args=[client], daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _handle(self, client: socket.socket) -> None:
        with suppress(OSError):
            first = client.recv(65536)
            fault = self.faults.pop(0) if self.faults else ""
            self.met += bool(fault)
            if fault == "busy":
                client.sendall(_BUSY)
                client.shutdown(socket.SHUT_RDWR)
            elif fault != "hang":
                time.sleep(_SLOW_SECONDS if fault == "slow" else 0)
                self._pass_on(client, first, loses=fault == "lose")

    def _pass_on(self, client: socket.socket, first: bytes, *, loses: bool) -> None:
        with socket.create_connection(self.upstream) as server:
            self._open.append(server)
            server.sendall(first)
            threading.Thread(target=_pump, args=[client, server], daemon=True).start()
            if loses:
                server.recv(1)
                client.shutdown(socket.SHUT_RDWR)
            else:
                _pump(server, client)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def running_faults(host: str, port: int) -> Iterator[HttpFaults]:
    """Run a proxy before a server until the block ends."""
    proxy = HttpFaults((host, port))
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(timeout=10)
