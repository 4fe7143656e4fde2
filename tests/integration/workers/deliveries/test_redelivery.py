"""The deliveries of a webhook: listed, sent again, held back while it is disabled and let go when it is not."""

from collections.abc import Iterator

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.support.http_server import Response
from tests.support.patience import WaitFor
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed


@pytest.fixture
def watcher() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def deliveries(sync: Sync, webhook_id: str, **query: JSON) -> list[JsonObject]:
    found: list[JsonObject] = sync.api.get(f"/webhook/{webhook_id}/deliveries", {"sort": "created_at", **query})[
        "result"
    ]
    return found


def books(sync: Sync, run_id: str) -> JsonObject:
    return dict(sync.show(run_id)["resource_stats"]["users"]["list"])


def test_deliveries_are_listed_and_shown(workspace: Workspace, upstream: Upstream, receiver: Receiver) -> None:
    upstream.lists("/users", numbered("user", 3))
    sync, webhook_id = workspace.sync(upstream.url, [listed("users")]), workspace.webhook(receiver)

    run = sync.run(webhook_id=webhook_id)

    shown = deliveries(sync, webhook_id, sync_job_run_id=run["id"])
    kinds = [delivery["event"].removeprefix("sync_job_run:") for delivery in shown]
    # The first two are queued at once.
    assert (sorted(kinds[:2]), kinds[2]) == (["created", "started"], "record")
    (batch,) = deliveries(sync, webhook_id, event="sync_job_run:record")
    facts = {"status": "delivered", "attempts": 1, "last_status_code": 200, "last_error": None, "records": 3}
    assert facts.items() <= batch.items()
    assert (batch["id"], batch["sequence"]) == (receiver.deliveries[2].id, 1)
    assert batch["created_at"] <= batch["last_attempt_at"] <= batch["delivered_at"]
    assert "body" not in batch
    whole = sync.api.get(f"/webhook/{webhook_id}/deliveries/{batch['id']}")
    assert receiver.secret not in str(whole)
    assert '"user-3"' in whole["body"]


def test_a_delivery_is_sent_again_under_its_id_and_counted_once(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 3))
    sync, webhook_id = workspace.sync(upstream.url, [listed("users")]), workspace.webhook(receiver)
    run = sync.run(webhook_id=webhook_id)
    wait_for(lambda: "completed" in receiver.events, what="the last event")
    first = next(delivery for delivery in receiver.deliveries if delivery.event.endswith(":record"))

    sync.api.post(f"/webhook/{webhook_id}/deliveries/{first.id}/retry")
    wait_for(lambda: len(receiver.events) == 5, what="the delivery once more")

    again = receiver.deliveries[-1]
    assert (again.id, again.body, again.attempt) == (first.id, first.body, 2)
    wait_for(lambda: books(sync, run["id"])["delivered"] == 3, what="the books' end")
    assert sync.api.get(f"/sync-job-run/{run['id']}/verify")["balanced"] is True


def test_a_waiting_delivery_can_be_tried_at_once(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 1))
    receiver.answer = lambda _delivery: Response(status=503, body=b"no\0", headers={"Retry-After": "3600"})
    sync, webhook_id = workspace.sync(upstream.url, [listed("users")]), workspace.webhook(receiver)
    run_id = sync.start(webhook_id=webhook_id)
    wait_for(lambda: any(delivery["attempts"] for delivery in deliveries(sync, webhook_id)), what="a refusal")
    (waiting,) = [one for one in deliveries(sync, webhook_id, status="pending") if one["attempts"]]
    assert (waiting["last_status_code"], waiting["last_error"]) == (503, "the receiver answered 503: no\ufffd")

    receiver.answer = lambda _delivery: Response()
    sync.api.post(f"/webhook/{webhook_id}/deliveries/{waiting['id']}/retry")

    assert sync.finished(run_id)["status"] == "completed"


def test_an_endpoint_that_is_gone_is_disabled_and_goes_on_where_it_was_when_enabled(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, watcher: Receiver, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 25), page_size=10)
    receiver.answer = lambda delivery: Response(status=410 if delivery.event.endswith(":record") else 200)
    sync, webhook_id = workspace.sync(upstream.url, [listed("users")]), workspace.webhook(receiver)
    watcher.secret = sync.api.post("/webhook", {"target_url": watcher.url, "event_types": ["webhook:disabled"]})[
        "secret"
    ]
    sync.api.post("/webhook", {"target_url": watcher.url, "event_types": ["sync_job_run:failed"]})
    away = {"target_url": "http://127.0.0.1:9/away", "event_types": ["webhook:disabled"]}
    sync.api.post("/webhook", away)  # nobody's but its own events wait for it
    run_id = sync.start(webhook_id=webhook_id)
    wait_for(lambda: not sync.api.get(f"/webhook/{webhook_id}")["is_active"], what="the webhook's end")
    webhook = sync.api.get(f"/webhook/{webhook_id}")
    assert "410" in webhook["disabled_reason"]
    assert webhook["failing_since"] is not None
    assert sync.status(run_id) == "running"
    wait_for(lambda: watcher.events, what="the announcement")
    assert watcher.deliveries[0].payload == {key: webhook[key] for key in ("id", "target_url", "disabled_reason")}

    receiver.answer = lambda _delivery: Response()
    changed = sync.api.patch(f"/webhook/{webhook_id}", {"is_active": True})

    assert (changed["failing_since"], changed["disabled_reason"]) == (None, None)
    assert sync.finished(run_id)["status"] == "completed"
    assert {user["id"] for user in receiver.records("users")} == {f"user-{number}" for number in range(1, 26)}
    assert (watcher.events, watcher.forgeries) == (["webhook:disabled"], 0)
