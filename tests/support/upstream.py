"""A third-party API that says what a test tells it to."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence

from app.engine.json_types import JSON, JsonObject
from tests.support.http_server import HttpServer, Request, Response

Answer = Callable[[Request], Response]

_PATIENCE_SECONDS = 60.0


def reply(body: JSON = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(
        status=status,
        body=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )


def reply_raw(body: bytes, content_type: str = "application/json", status: int = 200) -> Response:
    """Answer with bytes as they are."""
    return Response(status=status, body=body, headers={"Content-Type": content_type})


class Gate:
    """Holds requests back until the test opens it."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self._opened = threading.Event()

    def wait_for_request(self, timeout: float = 30.0) -> None:
        """Wait until one more request stands at the gate."""
        assert self.arrived.acquire(timeout=timeout), "no request came to the gate"

    def open(self) -> None:
        """Let all through, now and later."""
        self._opened.set()

    def pass_through(self) -> None:
        """Stand at the gate until it opens."""
        self.arrived.release()
        self._opened.wait(_PATIENCE_SECONDS)


class Upstream:
    """Resources by path; what it does not know is answered 404."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, Answer] = {}
        self._gates: list[Gate] = []
        self._server = HttpServer(self._answer)
        self.url = self._server.url

    def answers(self, path: str, answer: Response | Answer) -> None:
        """Answer a path always alike, or by a function."""
        self._answers[path] = answer if callable(answer) else lambda _request: answer

    def answers_in_turn(self, path: str, *answers: Response) -> None:
        """Give these answers one after the other, and the last one for ever."""
        left = list(answers)
        self._answers[path] = lambda _request: left.pop(0) if len(left) > 1 else left[0]

    def lists(self, path: str, records: Sequence[JSON], *, page_size: int = 100) -> None:
        """Serve records in cursor pages: ``{"data": [...], "next_cursor": ...}``."""
        self._answers[path] = lambda request: _page(records, request, page_size)

    def lists_by(self, path: str, parameter: str, records: Mapping[str, Sequence[JSON]]) -> None:
        """Serve the records that belong to the value of a query parameter; 404 for any other value."""

        def answer(request: Request) -> Response:
            owner = request.query.get(parameter, "")
            return reply({"error": "no such owner"}, 404) if owner not in records else _page(records[owner], request)

        self._answers[path] = answer

    def gate(self, path: str, *, from_cursor: str | None = None) -> Gate:
        """Hold the requests for a path back, all of them or those for one page."""
        gate = Gate()
        answer = self._answers[path]
        self._gates.append(gate)

        def answer_behind_gate(request: Request) -> Response:
            if from_cursor is None or request.query.get("cursor") == from_cursor:
                gate.pass_through()
            return answer(request)

        self._answers[path] = answer_behind_gate
        return gate

    def asked(self, path: str) -> list[Request]:
        """List the requests for a path, in the order of their coming."""
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        """Let everybody through and stop."""
        for gate in self._gates:
            gate.open()
        self._server.close()

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self._answers.get(request.path)
        return answer(request) if answer else reply({"error": "unknown path"}, 404)


def numbered(name: str, count: int, **fields: JSON) -> list[JsonObject]:
    """Make so many records with ids such as ``user-1``."""
    return [{"id": f"{name}-{number}", "number": number, **fields} for number in range(1, count + 1)]


def _page(records: Sequence[JSON], request: Request, page_size: int = 100) -> Response:
    start = int(request.query.get("cursor", "0"))
    end = start + page_size
    return reply({"data": records[start:end], "next_cursor": str(end) if end < len(records) else None})
