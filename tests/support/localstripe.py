"""A Stripe that nobody here wrote: the server ``localstripe`` as a process, filled over its own API."""

import base64
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from app.engine.json_types import JsonObject
from tests.support.patience import LONGEST_SECONDS, wait_for

API_KEY: Final = "sk_test_ferryman"
_SEEDERS = 4


class LocalStripe:
    """A client of the running server."""

    def __init__(self, port: int) -> None:
        self._port = port
        credentials = base64.b64encode(f"{API_KEY}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}

    @property
    def url(self) -> str:
        """The base of its addresses; its one socket listens on IPv6, and so takes IPv4 too."""
        return f"http://127.0.0.1:{self._port}/v1"

    def create(self, kind: str, objects: Sequence[JsonObject]) -> list[JsonObject]:
        """Create objects side by side; give them as the server shows them."""
        with ThreadPoolExecutor(_SEEDERS) as pool:
            return list(pool.map(lambda body: self._call("POST", kind, body), objects))

    def all(self, kind: str) -> dict[str, JsonObject]:
        """Read all objects of a kind in one page, by id."""
        page = self._call("GET", f"{kind}?limit=100000")
        assert not page["has_more"]
        return {item["id"]: item for item in page["data"]}

    def answers(self) -> bool:
        """Whether the server works."""
        with suppress(OSError, http.client.HTTPException):
            return "data" in self._call("GET", "customers")
        return False

    def _call(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        content = None if body is None else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_SECONDS)) as connection:
            connection.request(method, f"/v1/{path}", content, self._headers)
            response = connection.getresponse()
            answer: JsonObject = json.loads(response.read())
        assert response.status == 200, answer
        return answer


@contextmanager
def running_localstripe() -> Iterator[LocalStripe]:
    """Run the server on a free port, empty."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("localstripe")
    command = (str(program), "--port", str(port), "--from-scratch")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            stripe = LocalStripe(port)
            wait_for(lambda: process.poll() is not None or stripe.answers(), what="the start of localstripe")
            assert process.poll() is None, "localstripe ended at once"
            yield stripe
        finally:
            process.kill()
