"""RapidBridge runs: signed events to a real receiver, one after the other, each answered before the next."""

import pytest

from tests.support.http_server import Response
from tests.support.patience import WaitFor
from tests.support.receiver import Delivery, Receiver
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Workspace, child_of, listed

REFUSALS = 2
FULL = 500
"""A batch of so many records is not merged with others."""


def wait_for_last_event(wait_for: WaitFor, receiver: Receiver) -> None:
    wait_for(lambda: {"completed", "failed"} & set(receiver.events), what="the run's last event")


def test_run_delivers_started_then_every_record_then_completed(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    users = numbered("user", 45)
    notes = {user["id"]: numbered(f"{user['id']}-note", user["number"] % 3) for user in users}
    upstream.lists("/users", users, page_size=10)
    upstream.lists_by("/notes", "parent", notes)

    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run = sync.run(webhook_id=workspace.webhook(receiver))
    wait_for_last_event(wait_for, receiver)

    assert run["status"] == "completed", run["error"]
    assert (receiver.events[:2], receiver.events[-1]) == (["created", "started"], "completed")
    assert set(receiver.events[2:-1]) == {"record"}
    assert sorted(receiver.records("users"), key=lambda user: user["number"]) == users
    assert {note["id"] for note in receiver.records("notes")} == {note["id"] for of in notes.values() for note in of}
    assert (receiver.forgeries, receiver.overlaps) == (0, 0)


def test_books_of_a_webhook_run_count_what_was_queued_and_delivered(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    upstream.lists("/users", numbered("user", 25), page_size=10)

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run(webhook_id=workspace.webhook(receiver))

    books = run["resource_stats"]["users"]["list"]
    assert {"fetched": 25, "queued": 25, "delivered": 25, "dead_lettered": 0, "persisted": 25}.items() <= books.items()
    assert sync.rows("users") == []


def test_events_carry_the_run_and_its_origin(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 1))
    sync = workspace.sync(upstream.url, [listed("users")])

    run = sync.run(webhook_id=workspace.webhook(receiver), args={"of": "a"})
    wait_for_last_event(wait_for, receiver)

    created, started, record, completed = (delivery.payload for delivery in receiver.deliveries)
    assert (created["id"], created["status"], created["started_at"]) == (run["id"], "created", None)
    assert (started["id"], started["status"], started["args"]) == (run["id"], "running", {"of": "a"})
    assert (completed["id"], completed["status"]) == (run["id"], "completed")
    origin = {"sync_job_run_id": run["id"], "sync_job_id": sync.job_id, "integrated_account_id": sync.account_id}
    assert {**origin, "resource": "users", "method": "list"}.items() <= record.items()


def test_receiver_that_answers_400_to_started_aborts_the_run_with_its_words(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 1))
    receiver.answer = lambda delivery: (
        Response(status=400, body=b'{"message": "tenant-1 has not paid"}')
        if delivery.event.endswith("started")
        else Response()
    )

    run = workspace.sync(upstream.url, [listed("users")]).run(webhook_id=workspace.webhook(receiver))
    wait_for_last_event(wait_for, receiver)

    assert run["status"] == "failed"
    assert "tenant-1 has not paid" in run["error"]["message"]
    assert receiver.events == ["created", "started", "failed"]
    assert upstream.requests == []


def test_nothing_is_fetched_before_the_receiver_has_answered_started(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    upstream.lists("/users", numbered("user", 1))
    fetched_before: list[int] = []

    def look(_delivery: Delivery) -> Response:
        fetched_before.append(len(upstream.requests))
        return Response()

    receiver.answer = look
    workspace.sync(upstream.url, [listed("users")]).run(webhook_id=workspace.webhook(receiver))

    assert fetched_before[:2] == [0, 0]


@pytest.mark.parametrize("status", [500, 503, 404, 302], ids=str)
def test_refused_batch_is_sent_again_under_the_same_id_until_it_is_taken(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor, status: int
) -> None:
    upstream.lists("/users", numbered("user", 4), page_size=2)
    receiver.answer = lambda delivery: Response(
        status=status if delivery.event.endswith(":record") and delivery.attempt < 3 else 204
    )

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run(webhook_id=workspace.webhook(receiver))
    wait_for_last_event(wait_for, receiver)

    assert (run["status"], sync.errors(run["id"])) == ("completed", [])
    batches = [delivery.id for delivery in receiver.deliveries if delivery.event.endswith(":record")]
    assert receiver.events == ["created", "started", *["record"] * len(batches), "completed"]
    # The second page waits, or is merged with the first one before that is sent.
    assert batches in ([batches[0]] * 3, [batches[0]] * 3 + [batches[-1]] * 3)


def test_errors_are_delivered_beside_the_records(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 1))
    upstream.answers("/teams", reply({"error": "no"}, 403))

    workspace.sync(upstream.url, [listed("teams"), listed("users")]).run(webhook_id=workspace.webhook(receiver))
    wait_for_last_event(wait_for, receiver)

    assert sorted(receiver.events[2:-1]) == ["record", "record_error"]
    (error,) = [d.payload for d in receiver.deliveries if d.event.endswith("record_error")]
    assert (error["resource"], error["error"]["error"]) == ("teams", "http_403")


def test_fail_fast_run_ends_with_a_failed_event(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.answers("/users", reply({"error": "no"}, 403))

    sync = workspace.sync(upstream.url, [listed("users")])
    sync.run(webhook_id=workspace.webhook(receiver), error_handling="fail_fast")
    wait_for_last_event(wait_for, receiver)

    assert receiver.events[-1] == "failed"
    assert receiver.deliveries[-1].payload["error"]["code"] == "http_403"


def test_slow_receiver_holds_fetching_back(workspace: Workspace, upstream: Upstream, receiver: Receiver) -> None:
    """While the first batch is unanswered, only a few full batches are fetched ahead, however many there are."""
    upstream.lists("/users", numbered("user", 20 * FULL), page_size=FULL)
    refused: list[int] = []

    def refuse_first(delivery: Delivery) -> Response:
        if delivery.event.endswith(":record") and len(refused) < REFUSALS:
            refused.append(len(upstream.requests))
            return Response(status=503)
        return Response()

    receiver.answer = refuse_first
    run = workspace.sync(upstream.url, [listed("users")]).run(webhook_id=workspace.webhook(receiver))

    assert run["status"] == "completed", run["error"]
    assert max(refused) < 10
    assert len(receiver.records("users")) == (20 + REFUSALS) * FULL


def test_stopped_webhook_run_sends_nothing_more(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 4), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start(webhook_id=workspace.webhook(receiver))
    gate.wait_for_request()
    wait_for(lambda: "record" in receiver.events, what="the first batch")

    workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    gate.open()

    assert sync.finished(run_id)["status"] == "stopped"
    assert receiver.events == ["created", "started", "record"]
