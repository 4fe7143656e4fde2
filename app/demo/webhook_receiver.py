"""A webhook receiver that trusts only what it can verify: ``python -m app.demo.webhook_receiver --port N``.

It counts each record once and each delivery once, and keeps the order of every run's events.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from aiohttp import web

from app.demo.serving import serve
from app.demo.signatures import Verifier
from app.engine.json_types import JsonObject

_BODY_LIMIT_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class RunLog:
    """What arrived of one run."""

    events: list[str] = field(default_factory=list)
    records: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The ids by resource."""
    duplicates: int = 0
    """Records that came again in another delivery."""

    def add(self, event: str, payload: JsonObject) -> None:
        """Count one delivery."""
        self.events.append(event)
        ids = {str(record["id"]) for record in payload.get("records", ())}
        if ids:
            known = self.records[payload["resource"]]
            self.duplicates += len(known & ids)
            known |= ids

    def summary(self) -> JsonObject:
        """Return the events in order, repeats of one name as one, and the number of records by resource."""
        return {
            "events": [name for name, _ in groupby(self.events)],
            "records": {resource: len(ids) for resource, ids in self.records.items()},
            "duplicates": self.duplicates,
        }


class WebhookReceiver:
    """The handlers of the receiver, and its counters."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._verifier: Verifier | None = None
        self._unverified = 0
        self._repeats = 0
        self._delivery_ids: set[str] = set()
        self._runs: defaultdict[str, RunLog] = defaultdict(RunLog)

    async def receive(self, request: web.Request) -> web.Response:
        """Receive a delivery: 200 when it is verified, 401 when not."""
        body = await request.read()
        if self._verifier is None or not self._verifier.verifies(request.headers, body, self._now()):
            self._unverified += 1
            return web.json_response({"error": "the signatures do not match"}, status=401)
        delivery_id = request.headers["webhook-id"]
        if delivery_id in self._delivery_ids:
            self._repeats += 1
        else:
            self._delivery_ids.add(delivery_id)
            self._count(json.loads(body))
        return web.json_response({"received": delivery_id})

    async def set_secret(self, request: web.Request) -> web.Response:
        """Set the secret, which the API returns when it creates the webhook."""
        try:
            self._verifier = Verifier((await request.json())["secret"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.json_response({"error": 'expected {"secret": "whsec_..."}'}, status=400)
        return web.json_response({"ready": True})

    async def show_stats(self, _request: web.Request) -> web.Response:
        """Return the counters."""
        return web.json_response(
            {
                "verified": len(self._delivery_ids),
                "unverified": self._unverified,
                "repeats": self._repeats,
                "runs": {run_id: log.summary() for run_id, log in self._runs.items()},
            }
        )

    def _count(self, event: JsonObject) -> None:
        payload = event["payload"]
        # A batch names its run; an event about the run itself carries it as the payload; a test names none.
        if run_id := payload.get("sync_job_run_id") or payload.get("id"):
            self._runs[run_id].add(event["event"], payload)


def make_app(now: Callable[[], float] = time.time) -> web.Application:
    """Return a receiver without a secret."""
    receiver = WebhookReceiver(now)
    app = web.Application(client_max_size=_BODY_LIMIT_BYTES)
    app.router.add_post("/", receiver.receive)
    app.router.add_post("/secret", receiver.set_secret)
    app.router.add_get("/stats", receiver.show_stats)
    return app


if __name__ == "__main__":
    serve(make_app())
