"""Clients that are slow, or only pretend to be clients, hold no place that another one needs."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from app.stack.stack import Stack
from tests.support.ferryman import new_token
from tests.support.patience import LONGEST_SECONDS

MANY = 200
LATE_SECONDS = 10.0
HEAD = b"POST /integration HTTP/1.1\r\nHost: ferryman\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def address(ferryman: Stack) -> tuple[str, int]:
    url = urlsplit(ferryman.api_url)
    return str(url.hostname), int(url.port or 0)


@pytest.fixture
def token(ferryman: Stack) -> str:
    return new_token(ferryman.database_url)


@pytest.fixture
def held(address: tuple[str, int]) -> Iterator[Callable[..., list[socket.socket]]]:
    """Opens many connections that all begin alike, and closes what is left of them at the end."""
    with ExitStack() as stack:

        def open_all(count: int, begin: bytes, *, receive_buffer: int | None = None) -> list[socket.socket]:
            opened = []
            for _ in range(count):
                sock = stack.enter_context(socket.socket())
                if receive_buffer is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                sock.connect(address)
                sock.sendall(begin)
                opened.append(sock)
            return opened

        yield open_all


def ask(address: tuple[str, int], token: str, sock: socket.socket | None = None) -> tuple[int, float]:
    """Read a page of jobs; give the status, and how long that took."""
    begun = time.monotonic()
    with ExitStack() as stack:
        if sock is None:
            sock = stack.enter_context(socket.create_connection(address, timeout=LONGEST_SECONDS))
        sock.sendall(f"GET /sync-job HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        status, _ = answer(sock)
    return status, time.monotonic() - begun


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Read one whole answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        assert more, f"the connection was closed after {data!r}"
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2])
    while len(body) < length:
        body += sock.recv(65536)
    return int(head.split()[1]), body


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side has ended a connection, whatever it said before."""
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def wait_until_closed(sockets: list[socket.socket], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    left = sockets
    while left := [sock for sock in left if not is_closed(sock)]:
        assert time.monotonic() < deadline, f"{len(left)} connections are still open"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"G",
        b"GET /healthz HTTP/1.1\r\nHost: ferryman\r\n",
        HEAD,
        HEAD + b'{"name":',
        HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"5\r\nab",
        HEAD.replace(b"1000", b"999999999"),
        HEAD.replace(b"POST", b"GET").replace(b"integration", b"healthz"),
        HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
    ],
    ids=["nothing", "byte", "head", "no body", "body", "chunk", "too large", "unread body", "expect"],
)
def test_half_sent_requests_delay_nobody(
    address: tuple[str, int], token: str, held: Callable[..., list[socket.socket]], begin: bytes
) -> None:
    ask(address, token)

    held(MANY, begin)

    answers = [ask(address, token) for _ in range(20)]
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < LATE_SECONDS


def test_half_sent_requests_are_ended(
    ferryman: Stack, address: tuple[str, int], held: Callable[..., list[socket.socket]]
) -> None:
    wait_until_closed(held(20, b"") + held(20, b"GET / HTTP/1.1\r\n"), seconds=13)


def test_empty_lines_win_no_time(address: tuple[str, int], held: Callable[..., list[socket.socket]]) -> None:
    sockets, done = held(5, b"\r\n"), threading.Event()
    dripping = threading.Thread(target=drip, args=(sockets, done, b"\r\n"))
    dripping.start()
    try:
        deadline = time.monotonic() + 15
        while any(sock.fileno() >= 0 for sock in sockets):
            assert time.monotonic() < deadline, "connections are still open"
            time.sleep(0.5)
    finally:
        done.set()
        dripping.join()


def test_half_sent_bodies_are_ended(address: tuple[str, int], held: Callable[..., list[socket.socket]]) -> None:
    wait_until_closed(held(20, HEAD + b"{"), seconds=23)


def test_requests_that_come_by_bytes_delay_nobody_and_are_ended(
    address: tuple[str, int], token: str, held: Callable[..., list[socket.socket]]
) -> None:
    sockets, done = held(MANY, b"GET / HTTP/1.1\r\nX-Slow: "), threading.Event()
    dripping = threading.Thread(target=drip, args=(sockets, done))
    dripping.start()
    try:
        answers = [ask(address, token) for _ in range(20)]
        deadline = time.monotonic() + 13
        while any(sock.fileno() >= 0 for sock in sockets):
            assert time.monotonic() < deadline, "connections are still open"
            answers.append(ask(address, token))
            time.sleep(0.5)
    finally:
        done.set()
        dripping.join()
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < LATE_SECONDS


def drip(sockets: list[socket.socket], done: threading.Event, data: bytes = b"x") -> None:
    """Send a little a second by each connection, and close those that the other side has ended."""
    while not done.wait(1):
        for sock in sockets:
            if sock.fileno() < 0:
                continue
            try:
                sock.sendall(data)
            except OSError:
                sock.close()
            else:
                if is_closed(sock):
                    sock.close()


def test_answers_that_nobody_reads_delay_nobody(
    address: tuple[str, int], token: str, held: Callable[..., list[socket.socket]]
) -> None:
    one = b"GET /openapi.json HTTP/1.1\r\nHost: ferryman\r\n\r\n"

    held(40, one * 3, receive_buffer=4096)

    answers = [ask(address, token) for _ in range(20)]
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < LATE_SECONDS


def test_clients_that_do_not_close_their_side_delay_nobody(
    address: tuple[str, int], token: str, held: Callable[..., list[socket.socket]]
) -> None:
    held(40, b"GET /healthz HTTP/1.1\r\nHost: ferryman\r\nConnection: close\r\n\r\n")

    answers = [ask(address, token) for _ in range(20)]
    assert max(seconds for _, seconds in answers) < LATE_SECONDS


def test_slow_but_honest_body_is_read(address: tuple[str, int], token: str) -> None:
    body = b'{"sync_job_id": "' + b"x" * 100 + b'"}'
    head = (
        f"POST /sync-job-run HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        sock.sendall(head)
        for part in range(6):
            sock.sendall(body[part * 20 : (part + 1) * 20])
            time.sleep(1.0)
        sock.sendall(body[120:])
        status, told = answer(sock)

    assert status == 400, told


def test_connection_is_kept_and_requests_may_come_ahead(address: tuple[str, int], token: str) -> None:
    one = f"GET /sync-job HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        assert [ask(address, token, sock)[0] for _ in range(3)] == [200, 200, 200]
        sock.sendall(one + one[:30])
        assert answer(sock)[0] == 200
        sock.sendall(one[30:])
        assert answer(sock)[0] == 200


def test_body_in_chunks_is_read(address: tuple[str, int], token: str) -> None:
    head = (
        f"POST /sync-job-run HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        for part in (head, b'3\r\n{"a', b'\r\n4;x=y\r\n": 1\r\n', b"1\r\n}\r\n0\r\n", b"\r\n"):
            sock.sendall(part)
            time.sleep(0.05)
        status, told = answer(sock)
        assert status == 400, told
        assert ask(address, token, sock)[0] == 200


@pytest.mark.parametrize(
    "body",
    [b"ZZ\r\n{}", b"-5\r\n{}", b"2\r\n{}x\r\n0\r\n\r\n", b"2;=\r\n{}\r\n0\r\n\r\n", b"0\r\nno trailer\r\n\r\n"],
    ids=["size", "negative size", "too long", "extension", "trailer"],
)
@pytest.mark.parametrize("path", ["sync-job-run", "ui/sign-in"])
def test_body_in_malformed_chunks_is_refused(address: tuple[str, int], token: str, path: str, body: bytes) -> None:
    kind = "application/x-www-form-urlencoded" if path.startswith("ui") else "application/json"
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()

    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        sock.sendall(head + body)
        status, told = answer(sock)

    assert (status, b"its chunks are malformed" in told) == (400, True), told


def test_body_without_a_known_end_is_refused_at_once(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=LATE_SECONDS) as sock:
        sock.sendall(HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: identity\r\nContent-Length: 2") + b"{}")

        assert answer(sock)[0] == 400


def test_client_that_waits_to_be_told_to_send_is_told(address: tuple[str, int], token: str) -> None:
    head = (
        f"POST /sync-job-run HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert answer(sock)[0] == 400


def test_body_that_is_too_large_is_answered_and_ends_the_connection(address: tuple[str, int], token: str) -> None:
    head = (
        f"POST /sync-job-run HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{"
    ).encode()
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        sock.sendall(head)
        assert answer(sock)[0] == 413
        assert sock.recv(1) == b""


@pytest.mark.parametrize(
    ("request_line", "headers", "status", "message"),
    [
        (f"GET /{'a' * 9000} HTTP/1.1", "", 414, "the request line is too long: expected at most 8,190 bytes"),
        ("GET / HTTP/1.1", f"X-Long: {'a' * 9000}", 431, "the headers are too many or too large"),
        ("GET / HTTP/1.1", "\r\n".join(f"X-{number}: a" for number in range(200)), 431, "the headers are too many"),
        ("hello", "", 400, "the request line is not valid"),
        ("GET / HTTP/9.9", "", 400, "the version is not supported"),
        ("g@t / HTTP/1.1", "", 400, "the method is not valid"),
        ("GET / HTTP/1.1", "X Key: secret-of-mine", 400, "a header is not valid"),
        ("GET / HTTP/1.1", "X-Key: secret-of-\x01mine", 400, "a header is not valid"),
        ("GET / HTTP/1.1", "X-Key: a\r\n secret-of-mine", 400, "a header continues on the next line"),
        ("POST / HTTP/1.1", "Transfer-Encoding: secret-of-mine", 501, "the Transfer-Encoding is not supported"),
        ("GET / HTTP/1.1", "Expect: secret-of-mine", 417, "Expect is not supported"),
        ("GET / HTTP/1.1", "Content-Length: ٣", 400, "a header is not valid"),
        ("GET / HTTP/1.1", "Content-Length: 1_0", 400, "a header is not valid"),
    ],
)
def test_requests_that_cannot_be_read_are_answered_like_any_other_fault(
    ferryman: Stack, address: tuple[str, int], request_line: str, headers: str, status: int, message: str
) -> None:
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        lines = [request_line, "Host: ferryman", *([headers] if headers else []), "", ""]
        sock.sendall("\r\n".join(lines).encode())
        answered, body = answer(sock)

    told = json.loads(body)
    assert (answered, told["statusCode"], told["details"]) == (status, status, {"failures": []})
    assert told["message"].startswith(message)
    assert "secret-of-mine" not in body.decode()
    assert "secret-of-" not in (ferryman.data.logs / "api.log").read_text()


def test_a_long_line_that_asks_for_many_is_read(address: tuple[str, int], token: str) -> None:
    ids = ",".join(["0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a"] * 215)
    with socket.create_connection(address, timeout=LONGEST_SECONDS) as sock:
        head = f"GET /sync-job?id[in]={ids} HTTP/1.1\r\nHost: ferryman\r\nAuthorization: Bearer {token}\r\n\r\n"
        sock.sendall(head.encode())
        assert answer(sock)[0] == 200
