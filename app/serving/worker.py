"""Gunicorn's threaded worker, in which no client holds a thread: ``--worker-class app.serving.worker.PatientWorker``.

Gunicorn 27 gives a new connection to a thread, which then waits for the request, and for the client to receive the
answer: as many slow clients as there are threads block the API. Here the worker's loop reads requests and sends the
rest of answers, each with a deadline, and a thread gets a complete request.
"""

import errno
import os
import selectors
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

from app.net import addresses
from app.net.addresses import TrustedProxies
from app.serving.body_reader import BodyReader
from app.serving.connections import Connection
from app.serving.long_answers import THREADS, is_long
from app.serving.patience import Patience
from app.serving.request_reading import Progress, RequestReading
from app.serving.unreadable_requests import build_answer, describe
from app.serving.upstream_requests import may_wait
from app.setting_values import LARGEST_REQUEST_BYTES

_TIMED_OUT: Final = build_answer(HTTPStatus.REQUEST_TIMEOUT, "the request was not received completely in time")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_BYTES: Final = 256 * 1024
_NO_MORE_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NOT_THERE: Final = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK, errno.EINTR)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Reads requests and sends answers in its loop; threads run the application."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._patience = Patience()
        self._largest_body = int(os.environ.get("FERRYMAN_REQUEST_LIMIT_BYTES") or LARGEST_REQUEST_BYTES)
        self._proxies = TrustedProxies.parse(os.environ.get(addresses.TRUSTED_PROXIES_SETTING, ""))
        # In the order in which they began to wait; all that is in no thread.
        self._waiting: dict[Connection, None] = {}
        self._unfinished: dict[str, dict[Connection, None]] = {}
        self._held_bytes = 0
        self._spooled_bytes = 0
        self._last_deadline: float | None = None

    def init_process(self) -> None:
        """Start, with as many threads for requests that may wait for upstreams as for all others."""
        self._calls = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="calls")
        self._exports = ThreadPoolExecutor(THREADS, thread_name_prefix="exports")
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Accept a connection, and read its request if it is there already."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_MORE_FILES:
                self._close_oldest()
            elif error.errno not in _NOT_THERE:
                raise
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, client, listener.getsockname(), self._patience)
        conn.is_of_proxy = isinstance(client, tuple) and self._proxies.is_trusted(str(client[0]))
        self._await_request(conn, seconds=self._patience.head_seconds)
        self._read(conn)
        self._enforce_limits(conn)
        # One place stays free, since the loop accepts no connection without one.
        if self.nr_conns >= self.worker_connections:
            self._close_oldest()

    def enqueue_req(self, conn: Connection) -> None:
        """Pass a request to a thread; one that may wait for an upstream, or for its client, to a pool of its own."""
        assert conn.reading is not None
        request = conn.reading.buffer
        pool = self._exports if is_long(request) else self._calls if may_wait(request) else self.tpool
        future = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Connection) -> Any:
        """Answer a complete request; called in a thread."""
        conn.init()
        conn.parser.unreader.unread(conn.take_request())
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Run the application on a request."""
        req.body.reader = BodyReader(req.body.reader)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that cannot be read; no header or query of it is logged."""
        status, message = describe(exc, longest=self.cfg.limit_request_line)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("a request failed: %s", getattr(req, "path", "not read"), exc_info=exc)
        else:
            self.log.warning("a request from %s cannot be read: %s", addr[0] if addr else "a socket", message)
        with suppress(OSError):
            client.sendall(build_answer(status, message))

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Continue with a connection whose request was answered."""
        try:
            conn.keeps_alive = not fs.cancelled() and fs.result() is True
            conn.sock.flush()
        except Exception:
            self._close(conn)
            return
        if conn.sock.unsent:
            self._await(conn, self._send, selectors.EVENT_WRITE, seconds=self._patience.body_seconds)
            self._enforce_limits(conn)
        else:
            self._go_on(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections after their deadline."""
        now = time.monotonic()
        for conn in [conn for conn in self._waiting if force or conn.deadline <= now]:
            self._expire(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        self._last_deadline = deadline
        for conn in self._waiting:
            if conn.is_between_requests:
                conn.deadline = min(conn.deadline, deadline)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        return bool(conn.is_whole and super()._keepalive_after(conn, keepalive))

    def _await_request(self, conn: Connection, *, seconds: float) -> None:
        conn.reading = RequestReading(self._largest_body, bytearray())
        self._await(conn, self._read, selectors.EVENT_READ, seconds=seconds)

    def _read(self, conn: Connection, _sock: Any = None) -> None:
        data = self._receive(conn)
        if data is None:
            return
        if not data:
            self._stop_waiting(conn)
            self._close(conn)
            return
        self._take(conn, data)

    def _take(self, conn: Connection, data: bytes) -> None:
        """Add bytes of a request: pass it to a thread when it is complete, otherwise wait for more."""
        assert conn.reading is not None
        # Empty lines before a request do not count, and do not extend the deadline.
        if not conn.reading.buffer and data.strip(b"\r\n"):
            self._begin(conn)
        held = conn.held_bytes
        progress = conn.reading.feed(data)
        self._held_bytes += conn.held_bytes - held
        if progress in (Progress.WHOLE, Progress.CUT):
            self._stop_waiting(conn)
            conn.is_whole = progress is Progress.WHOLE
            self.enqueue_req(conn)
            return
        self._note_progress(conn, progress, len(data))
        self._enforce_limits(conn)

    def _begin(self, conn: Connection) -> None:
        """Count the time of a request from its first byte."""
        conn.began_at, conn.moved_bytes = time.monotonic(), 0
        conn.deadline = conn.began_at + self._patience.head_seconds

    def _note_progress(self, conn: Connection, progress: Progress, count: int) -> None:
        if not conn.is_unfinished:
            conn.is_unfinished = True
            self._unfinished.setdefault(conn.address, {})[conn] = None
        if progress is not Progress.BODY:
            return
        if conn.reading is not None and conn.reading.expects_continue:
            conn.reading.expects_continue = False
            conn.sock.sendall(_CONTINUE)
        conn.moved_bytes += count
        seconds = self._patience.body_seconds + conn.moved_bytes / self._patience.bytes_per_second
        conn.deadline = conn.began_at + seconds

    def _send(self, conn: Connection, _sock: Any = None) -> None:
        if conn not in self._waiting:
            return
        before, held, spooled = conn.sock.unsent, conn.held_bytes, conn.sock.spooled
        try:
            conn.sock.flush()
        except OSError:
            self._stop_waiting(conn)
            self._close(conn)
            return
        self._held_bytes += conn.held_bytes - held
        self._spooled_bytes += conn.sock.spooled - spooled
        conn.deadline += (before - conn.sock.unsent) / self._patience.bytes_per_second
        if not conn.sock.unsent:
            self._stop_waiting(conn)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Wait for the next request, or close the connection."""
        if not conn.keeps_alive:
            self._close_our_side(conn)
            return
        ahead = conn.parser.unreader.take_buffered()
        patience = self._patience
        seconds = patience.idle_seconds_of_proxy if conn.is_of_proxy else patience.idle_seconds
        self._await_request(conn, seconds=seconds)
        if ahead:
            self._take(conn, ahead)

    def _close_our_side(self, conn: Connection) -> None:
        """Close our side, and read what the client still sends, which would lose the answer otherwise."""
        try:
            conn.sock.shutdown(1)
        except OSError:
            self._close(conn)
            return
        self._await(conn, self._drain, selectors.EVENT_READ, seconds=self._patience.farewell_seconds)

    def _drain(self, conn: Connection, _sock: Any = None) -> None:
        data = self._receive(conn)
        if data is not None:
            conn.moved_bytes += len(data)
        if data == b"" or conn.moved_bytes > self._patience.largest_answer_ahead:
            self._stop_waiting(conn)
            self._close(conn)

    def _receive(self, conn: Connection) -> bytes | None:
        """Return the received bytes; None when there are none, or the connection was closed meanwhile."""
        if conn not in self._waiting:
            return None
        try:
            data: bytes | None = conn.sock.read(_READ_BYTES)
        except OSError:
            return b""
        return data

    def _await(self, conn: Connection, callback: Any, event: int, *, seconds: float) -> None:
        now = time.monotonic()
        conn.began_at, conn.moved_bytes, conn.deadline = now, 0, now + seconds
        if self._last_deadline is not None and conn.is_between_requests:
            conn.deadline = min(conn.deadline, self._last_deadline)
        self._waiting[conn] = None
        self._held_bytes += conn.held_bytes
        self._spooled_bytes += conn.sock.spooled
        # A client that sends nothing or does not read counts like one that sends slowly.
        conn.is_unfinished = callback is not self._drain and not (callback == self._read and conn.initialized)
        if conn.is_unfinished:
            self._unfinished.setdefault(conn.address, {})[conn] = None
        self.poller.register(conn.sock, event, partial(callback, conn))

    def _stop_waiting(self, conn: Connection) -> None:
        """Stop waiting for a client."""
        self._waiting.pop(conn, None)
        self._held_bytes -= conn.held_bytes
        self._spooled_bytes -= conn.sock.spooled
        if conn.is_unfinished:
            conn.is_unfinished = False
            those = self._unfinished[conn.address]
            del those[conn]
            if not those:
                del self._unfinished[conn.address]
        self.poller.unregister(conn.sock)

    def _enforce_limits(self, conn: Connection) -> None:
        """Close the oldest connections while one address has too many, or memory or files are over their limit."""
        those = self._unfinished.get(conn.address, {})
        while not conn.is_of_proxy and len(those) > self._patience.unfinished_per_address:
            self._expire(next(iter(those)))
        while self._held_bytes > self._patience.most_bytes:
            self._expire(next(one for one in self._waiting if one.held_bytes))
        while self._spooled_bytes > self._patience.most_spooled_bytes:
            self._expire(next(one for one in self._waiting if one.sock.spooled))

    def _close_oldest(self) -> None:
        """Close the connection that has waited longest."""
        for oldest in self._waiting:
            self._expire(oldest)
            return

    def _expire(self, conn: Connection) -> None:
        was_asking = conn.reading is not None and conn.reading.buffer
        self._stop_waiting(conn)
        if was_asking:
            with suppress(OSError):
                conn.sock.send(_TIMED_OUT)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()
