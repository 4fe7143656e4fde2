"""A webhook receiver that keeps what comes and trusts no delivery which the ``standardwebhooks`` library refuses."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from standardwebhooks import Webhook

from app.engine.json_types import JSON, JsonObject
from tests.support.http_server import HttpServer, Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery."""

    id: str
    event: str
    payload: JsonObject
    body: JsonObject
    """The whole event."""
    headers: Mapping[str, str]
    attempt: int
    """Counts the deliveries with this id, from 1."""


class Receiver:
    """Answers 200, or what the test's ``answer`` says."""

    def __init__(self) -> None:
        self.secret = ""
        """Told by the API when the webhook is made."""
        self.answer: Callable[[Delivery], Response] = lambda _delivery: Response()
        self.deliveries: list[Delivery] = []
        self.forgeries = 0
        self.overlaps = 0
        """Deliveries that came before the one under way was answered."""
        self._under_way = threading.Lock()
        self._server = HttpServer(self._receive)
        self.url = f"{self._server.url}/hook"

    @property
    def events(self) -> list[str]:
        """The names of the events, in the order of their coming, without what they all begin with."""
        return [delivery.event.removeprefix("sync_job_run:") for delivery in self.deliveries]

    def records(self, resource: str) -> list[JSON]:
        """Gather the delivered records of a resource."""
        batches = [delivery.payload for delivery in self.deliveries if delivery.event == "sync_job_run:record"]
        return [record for payload in batches if payload["resource"] == resource for record in payload["records"]]

    def close(self) -> None:
        """Stop."""
        self._server.close()

    def _receive(self, request: Request) -> Response:
        if not self._is_genuine(request):
            self.forgeries += 1
            return Response(status=401)
        if not self._under_way.acquire(blocking=False):
            self.overlaps += 1
            return Response(status=409)
        try:
            delivery = self._delivery(request)
            self.deliveries.append(delivery)
            return self.answer(delivery)
        finally:
            self._under_way.release()

    def _delivery(self, request: Request) -> Delivery:
        id, body = request.headers["webhook-id"], json.loads(request.body)
        attempt = 1 + sum(delivery.id == id for delivery in self.deliveries)
        return Delivery(
            id=id, event=body["event"], payload=body["payload"], body=body, headers=request.headers, attempt=attempt
        )

    def _is_genuine(self, request: Request) -> bool:
        try:
            Webhook(self.secret).verify(request.body, dict(request.headers))
        except Exception:  # the library documents no exception for a missing header
            return False
        digest = hmac.new(self.secret.encode(), request.body, hashlib.sha256).hexdigest()
        signed = (request.headers.get(name) for name in ("x-truto-signature", "x-truto-signature-previous"))
        return f"format=sha256,v={digest}" in signed
