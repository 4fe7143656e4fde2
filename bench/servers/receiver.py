"""A webhook receiver that verifies nothing and answers at once; what it was sent is counted only when it is asked.

POST /<name>           takes an event
GET /<name>/ledger     {"events": n, "records": n, "distinct": n, "wrong": n, "ended_at": seconds or null}
DELETE /<name>         forgets all of it
"""

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field

import orjson

from app.engine.json_types import JsonObject
from bench.servers.raw_http import RawConnection, serve
from bench.worlds import ticket

_ENDS = (b'"sync_job_run:completed"', b'"sync_job_run:failed"', b'"sync_job_run:stopped"')


@dataclass(slots=True)
class Inbox:
    """All that came to one address."""

    bodies: list[bytes] = field(default_factory=list)
    ended_at: float | None = None
    """When the event of a run's end came, on this machine's monotonic clock."""

    def take(self, body: bytes) -> None:
        """Keep an event as it came."""
        self.bodies.append(body)
        if len(body) < 100_000 and any(end in body for end in _ENDS):
            self.ended_at = time.monotonic()

    def ledger(self) -> JsonObject:
        """Count what came, and compare it with what the upstream holds."""
        events = [orjson.loads(body) for body in self.bodies]
        records = [record for event in events for record in event["payload"].get("records", ())]
        return {
            "events": len(events),
            "records": len(records),
            "distinct": len({record["id"] for record in records}),
            "wrong": sum(record != ticket(record["id"]) for record in records),
        }


_inboxes: defaultdict[str, Inbox] = defaultdict(Inbox)


class ReceiverConnection(RawConnection):
    """A sender's connection."""

    def received(self, method: str, path: str, head: bytes, body: bytes) -> None:
        """Answer at once."""
        name = path[1:].partition("/")[0]
        match method:
            case "POST":
                self.answer(b"{}")
                _inboxes[name].take(body)
            case "DELETE":
                _inboxes.pop(name, None)
                self.answer(b"{}")
            case _ if path.endswith("/end"):
                self.answer(json.dumps({"ended_at": _inboxes[name].ended_at}).encode())
            case _:
                self.answer(json.dumps(_inboxes[name].ledger()).encode())


if __name__ == "__main__":
    serve(ReceiverConnection)
