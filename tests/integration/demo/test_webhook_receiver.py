"""The webhook receiver over real sockets, fed by Ferryman's own signer and by the public library's."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from app.client import ApiClient, ApiError
from app.demo.webhook_receiver import make_app
from app.engine.json_types import JsonObject
from app.engine.webhooks import signatures

NOW = 1_800_000_000
SECRET = signatures.make_secret()
TICKETS = {"sync_job_run_id": "run-1", "resource": "tickets", "records": [{"id": 1}, {"id": 2}]}


class Sender:
    """Sends deliveries to a receiver, well signed unless told otherwise."""

    def __init__(self, receiver: ApiClient) -> None:
        self._receiver = receiver

    def send(
        self,
        payload: JsonObject,
        *,
        event: str = "sync_job_run:record",
        id: str = "d1",
        secret: str = SECRET,
        at: int = NOW,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        body = {"event": event, "payload": payload}
        content = json.dumps(body).encode()
        headers = signatures.sign_headers([secret], encoding="hex", event_id=id, timestamp_seconds=at, body=content)
        self._receiver.call("POST", "/", body, headers={**headers, **(changes or {})})

    def stats(self) -> JsonObject:
        stats: JsonObject = self._receiver.get("/stats")
        return stats


@pytest.fixture
def receiver(serve: Callable[[web.Application], str]) -> ApiClient:
    client = ApiClient(serve(make_app(now=lambda: NOW)))
    client.post("/secret", {"secret": SECRET})
    return client


@pytest.fixture
def sender(receiver: ApiClient) -> Sender:
    return Sender(receiver)


def test_run_is_told_by_its_records_and_the_order_of_its_events(sender: Sender) -> None:
    run = {"id": "run-1"}

    sender.send(run, event="sync_job_run:started", id="d1")
    sender.send(TICKETS, id="d2")
    sender.send({**TICKETS, "records": [{"id": 3}]}, id="d3")
    sender.send(run, event="sync_job_run:completed", id="d4")

    assert sender.stats() == {
        "verified": 4,
        "unverified": 0,
        "repeats": 0,
        "runs": {
            "run-1": {
                "events": ["sync_job_run:started", "sync_job_run:record", "sync_job_run:completed"],
                "records": {"tickets": 3},
                "duplicates": 0,
            }
        },
    }


def test_repeated_delivery_is_taken_once(sender: Sender) -> None:
    sender.send(TICKETS)
    sender.send(TICKETS)

    stats = sender.stats()
    assert (stats["verified"], stats["repeats"]) == (1, 1)
    assert stats["runs"]["run-1"] == {"events": ["sync_job_run:record"], "records": {"tickets": 2}, "duplicates": 0}


def test_record_in_two_deliveries_is_a_duplicate(sender: Sender) -> None:
    sender.send(TICKETS, id="d1")
    sender.send(TICKETS, id="d2")

    run = sender.stats()["runs"]["run-1"]
    assert (run["records"], run["duplicates"]) == ({"tickets": 2}, 2)


def test_test_event_names_no_run(sender: Sender) -> None:
    sender.send({"foo": "bar"}, event="test")

    assert (sender.stats()["verified"], sender.stats()["runs"]) == (1, {})


@pytest.mark.parametrize(
    "fault",
    [
        {"secret": "whsec_" + "A" * 43 + "="},
        {"at": NOW - 301},
        {"at": NOW + 301},
        {"changes": {"webhook-signature": ""}},
        {"changes": {"webhook-signature": "v1,é"}},
        {"changes": {"webhook-id": "another"}},
        {"changes": {"webhook-timestamp": "soon"}},
        {"changes": {"webhook-timestamp": "²"}},
        {"changes": {"X-Truto-Signature": "format=sha256,v=00"}},
    ],
    ids=str,
)
def test_delivery_that_does_not_verify_is_refused_and_counted(sender: Sender, fault: Mapping[str, object]) -> None:
    with pytest.raises(ApiError) as refusal:
        sender.send(TICKETS, **fault)  # type: ignore[arg-type]

    assert refusal.value.status == 401
    assert (sender.stats()["verified"], sender.stats()["unverified"]) == (0, 1)


def test_nothing_verifies_before_the_secret_is_known(serve: Callable[[web.Application], str]) -> None:
    sender = Sender(ApiClient(serve(make_app(now=lambda: NOW))))

    with pytest.raises(ApiError) as refusal:
        sender.send(TICKETS)

    assert refusal.value.status == 401


@pytest.mark.parametrize("body", [{}, [], {"secret": 1}, {"secret": "plain"}, {"secret": "whsec_?"}], ids=str)
def test_secret_of_another_form_is_refused(receiver: ApiClient, body: object) -> None:
    with pytest.raises(ApiError) as refusal:
        receiver.post("/secret", body)

    assert refusal.value.status == 400


def test_large_batch_of_another_signer_is_taken(receiver: ApiClient) -> None:
    body = {"event": "sync_job_run:record", "payload": {**TICKETS, "filler": "x" * 3_000_000}}
    content = json.dumps(body).encode()
    ours = signatures.sign_headers([SECRET], encoding="hex", event_id="d1", timestamp_seconds=NOW, body=content)
    theirs = Webhook(SECRET).sign("d1", datetime.fromtimestamp(NOW, UTC), content.decode())

    receiver.call("POST", "/", body, headers={**ours, "webhook-signature": f"v1,old {theirs}"})

    assert receiver.get("/stats")["verified"] == 1
