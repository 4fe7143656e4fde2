"""Calls to an upstream that never answers take no thread from anybody else's requests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from app.stack.stack import Stack
from tests.support.ferryman import new_token
from tests.support.workspace import Workspace

CALLS = 40
LATE_SECONDS = 5.0


@pytest.fixture
def silent_url() -> Iterator[str]:
    """An upstream that takes connections and says nothing; they break off when the test ends."""
    with ExitStack() as held, closing(socket.create_server(("127.0.0.1", 0), backlog=200)) as server:

        def accept() -> None:
            while True:
                try:
                    held.enter_context(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_calls_that_are_not_answered_delay_no_other_request(
    ferryman: Stack, workspace: Workspace, silent_url: str
) -> None:
    resources = {"things": {"list": {"method": "get", "path": "/things"}}}
    workspace.api.post("/integration", {"name": "silent", "config": {"base_url": silent_url, "resources": resources}})
    account = workspace.api.post("/integrated-account", {"integration_name": "silent", "tenant_id": "t"})
    address = urlsplit(ferryman.api_url)
    token = workspace.api.post("/api-token", {"name": "caller", "role": "run"})["token"]
    other = new_token(ferryman.database_url)
    call = f"GET /%70roxy/things?integrated_account_id={account['id']} HTTP/1.1\r\nHost: f\r\n"
    with ExitStack() as stack:
        for _ in range(CALLS):
            sock = stack.enter_context(socket.create_connection((str(address.hostname), int(address.port or 0))))
            sock.sendall(f"{call}Authorization: Bearer {token}\r\n\r\n".encode())

        begun = time.monotonic()
        for _ in range(10):
            sock = stack.enter_context(socket.create_connection((str(address.hostname), int(address.port or 0))))
            sock.sendall(f"GET /sync-job HTTP/1.1\r\nHost: f\r\nAuthorization: Bearer {other}\r\n\r\n".encode())
            sock.settimeout(60)
            assert sock.recv(20).startswith(b"HTTP/1.1 200")

    assert time.monotonic() - begun < LATE_SECONDS
