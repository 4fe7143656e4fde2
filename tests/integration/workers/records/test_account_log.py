"""One log per account: a consumer that was down reads on where it stopped, and sees what it has missed."""

from app.engine.json_types import JsonObject
from tests.support.patience import WaitFor
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed


def read_log(sync: Sync, after: int, *, limit: int = 7) -> list[JsonObject]:
    query = {"integrated_account_id": sync.account_id, "after_seq": after, "limit": limit}
    page = sync.api.get("/record", query)
    found: list[JsonObject] = page["result"]
    while page["next_cursor"] is not None:
        page = sync.api.get("/record", {**query, "next_cursor": page["next_cursor"]})
        assert page["result"]
        found += page["result"]
    return found


def test_log_gives_each_change_once_in_order(workspace: Workspace, upstream: Upstream) -> None:
    users = numbered("user", 20)
    upstream.lists("/users", users, page_size=6)
    sync = workspace.sync(upstream.url, [listed("users", delete_tracking="soft")])
    sync.run()
    first = read_log(sync, 0)
    assert [row["id"] for row in first] == [user["id"] for user in users]
    assert [row["sequence"] for row in first] == list(range(1, 21))

    changed = [{**user, "name": "new"} if user["number"] in (5, 9) else user for user in users if user["number"] != 3]
    upstream.lists("/users", changed, page_size=6)
    sync.run()

    later = read_log(sync, first[-1]["sequence"])
    assert {row["id"]: bool(row["deleted_at"]) for row in later} == {"user-5": False, "user-9": False, "user-3": True}
    assert [row["sequence"] for row in later] == [21, 22, 23]
    assert read_log(sync, 23) == []


def test_webhook_batches_stand_in_the_same_log(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    users = numbered("user", 20)
    upstream.lists("/users", users, page_size=6)
    sync = workspace.sync(upstream.url, [listed("users")])
    sync.run()
    webhook_id = workspace.webhook(receiver)
    for runs in (1, 2):
        sync.run(webhook_id=webhook_id)
        wait_for(lambda runs=runs: receiver.events.count("completed") == runs, what="the last event")

    batches = [delivery.body for delivery in receiver.deliveries if delivery.event.endswith(":record")]
    numbers = [batch["sequence"] for batch in batches]
    assert (numbers[-1], set(numbers) <= set(range(21, 29))) == (28, True)
    assert [batch["previous_sequence"] for batch in batches] == [None, *numbers[:-1]]

    missed = [batch for batch in batches if batch["sequence"] > 24]
    pulled = read_log(sync, 24, limit=1)
    assert [row["data"] for row in pulled] == [user for batch in missed for user in batch["payload"]["records"]]
    assert {row["sequence"] for row in pulled} == {number for number in numbers if number > 24}
    assert len(read_log(sync, 0, limit=3)) == 60
