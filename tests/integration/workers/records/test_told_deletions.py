"""What an upstream tells as deleted is deleted with its page: in Postgres, at webhooks, in increments too."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.support.patience import WaitFor
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import CURSOR_PAGES, Sync, Workspace, child_of, listed

USERS = listed("users", deleted_when="deleted = true")
SINCE = {"query": {"since": "{{previous_run_date:undefined}}"}}


def stats(run: JsonObject, resource: str = "users") -> JsonObject:
    assert run["status"] == "completed", run["error"]
    return dict(next(iter(run["resource_stats"][resource].values())))


def counted(run: JsonObject, resource: str = "users") -> dict[str, int]:
    """Give the counters that are not zero of those that tell of the fate of records."""
    fates = (
        "created",
        "updated",
        "unchanged",
        "repeated",
        "deleted",
        "tombstones",
        "quarantined",
        "queued",
        "withheld",
    )
    names = ("fetched", *fates)
    return {name: stats(run, resource)[name] for name in names if stats(run, resource)[name]}


def log(sync: Sync, after: int = 0) -> list[JsonObject]:
    query = {"integrated_account_id": sync.account_id, "after_seq": str(after)}
    return list(sync.api.get("/record", query)["result"])


def tombstones(sync: Sync) -> set[str]:
    return {row["id"] for row in log(sync) if row["deleted_at"]}


def balanced(sync: Sync, run: JsonObject) -> bool:
    return bool(sync.api.get(f"/sync-job-run/{run['id']}/verify")["balanced"])


def gone(*ids: str) -> list[JsonObject]:
    return [{"id": id, "deleted": True} for id in ids]


@pytest.mark.parametrize("fields", [{}, SINCE, {"delete_tracking": "soft"}], ids=["full", "increment", "tracked"])
def test_a_told_deletion_makes_a_tombstone_with_a_number_of_its_own(
    workspace: Workspace, upstream: Upstream, fields: JsonObject
) -> None:
    users = numbered("user", 5)
    upstream.lists("/users", users)
    sync = workspace.sync(upstream.url, [{**USERS, **fields}])
    sync.run()
    last = log(sync)[-1]["sequence"]
    changed = {"id": "user-1", "number": 7}
    upstream.lists("/users", [changed, *users[1:3], *gone("user-4", "user-5", "user-9")])

    run = sync.run()

    assert counted(run) == {"fetched": 6, "updated": 1, "unchanged": 3, "deleted": 2, "tombstones": 2}
    assert balanced(sync, run)
    changes = log(sync, after=last)
    assert [(row["id"], row["deleted_at"] is not None) for row in changes] == [
        *(("user-1", False), ("user-4", True), ("user-5", True)),
    ]
    assert {row["sync_job_run_id"] for row in changes} == {run["id"]}
    assert set(sync.records("users")) == {"user-1", "user-2", "user-3"}


def test_most_may_be_told_as_deleted_at_once_and_again_changes_nothing(
    workspace: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/users", numbered("user", 4))
    sync = workspace.sync(upstream.url, [{**USERS, "delete_tracking": "soft"}])
    sync.run()
    upstream.lists("/users", gone("user-1", "user-2", "user-3", "user-4"))

    first, second = sync.run(), sync.run()

    assert (counted(first)["deleted"], sync.errors(first["id"])) == (4, [])
    assert counted(second) == {"fetched": 4, "unchanged": 4}
    assert (balanced(sync, first), balanced(sync, second)) == (True, True)


def test_a_record_that_is_back_lives_again_and_a_run_can_be_undone(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 2))
    sync = workspace.sync(upstream.url, [USERS])
    sync.run()
    upstream.lists("/users", gone("user-1", "user-2"))
    deleting = sync.run()
    assert tombstones(sync) == {"user-1", "user-2"}
    upstream.lists("/users", numbered("user", 1))

    run = sync.run()

    assert (counted(run), tombstones(sync)) == ({"fetched": 1, "updated": 1}, {"user-2"})
    undo = {"integrated_account_id": sync.account_id, "sync_job_run_id": deleting["id"]}
    assert sync.api.post("/record/restore", undo) == {"restored": 1}
    assert sync.records("users") == {user["id"]: user for user in numbered("user", 2)}


@pytest.mark.parametrize(
    ("records", "living", "books"),
    [
        ([{"id": "a"}, *gone("a")], set(), {"fetched": 2, "unchanged": 1, "repeated": 1}),
        ([*gone("a"), {"id": "a"}], {"a"}, {"fetched": 2, "created": 1, "repeated": 1}),
    ],
)
def test_of_several_with_one_id_in_a_page_the_last_counts(
    workspace: Workspace, upstream: Upstream, records: list[JSON], living: set[str], books: dict[str, int]
) -> None:
    upstream.lists("/users", records)
    sync = workspace.sync(upstream.url, [USERS])

    run = sync.run()

    assert (set(sync.records("users")), counted(run), balanced(sync, run)) == (living, books, True)


def test_a_later_page_of_one_run_may_take_back_an_earlier_one(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [{"id": "a"}, {"id": "b"}, *gone("a"), {"id": "c"}], page_size=2)
    sync = workspace.sync(upstream.url, [{**USERS, "delete_tracking": "soft"}])

    run = sync.run()

    assert counted(run) == {"fetched": 4, "created": 3, "deleted": 1, "tombstones": 1}
    assert (set(sync.records("users")), balanced(sync, run)) == ({"b", "c"}, True)


def test_nothing_comes_of_a_deleted_record(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [*numbered("user", 2), *gone("user-3")])
    upstream.lists("/notes", numbered("note", 1))
    names = {"type": "transform", "name": "names", "resource": "names", "depends_on": "users", "persist": True}
    sync = workspace.sync(
        upstream.url,
        [
            {**USERS, "persist": False, "recurse": {"if": "{{resources.users.deleted:bool}}", "config": {"query": {}}}},
            child_of("users", "notes"),
            {**names, "config": {"expression": "records.{'id': id}"}},
        ],
    )
    upstream.lists("/users", [*numbered("user", 2, deleted=False), *gone("user-3")])

    run = sync.run()

    assert sorted(request.query["parent"] for request in upstream.asked("/notes")) == ["user-1", "user-2"]
    assert (set(sync.records("names")), len(upstream.asked("/users"))) == ({"user-1", "user-2"}, 1)
    assert (sync.errors(run["id"]), balanced(sync, run)) == ([], True)


def test_a_transform_tells_deletions_of_what_it_makes(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 2))
    names = {"type": "transform", "name": "names", "resource": "names", "depends_on": "users", "persist": True}
    expression = {"expression": "records.{'id': id, 'is_old': number > 10}"}
    sync = workspace.sync(upstream.url, [listed("users"), {**names, "config": expression, "deleted_when": "is_old"}])
    sync.run()
    upstream.lists("/users", [{"id": "user-1", "number": 1}, {"id": "user-2", "number": 11}])

    run = sync.run()

    assert counted(run, "names") == {"fetched": 2, "unchanged": 1, "deleted": 1, "tombstones": 1}
    assert (set(sync.records("names")), balanced(sync, run)) == ({"user-1"}, True)


def test_a_record_that_does_not_say_whether_it_is_deleted_is_in_quarantine_and_holds_no_increment(
    workspace: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/users", numbered("user", 3))
    sync = workspace.sync(upstream.url, [{**USERS, **SINCE, "deleted_when": "deleted", "delete_tracking": "soft"}])
    sync.run()
    upstream.lists("/users", [{"id": "user-1", "number": 7, "deleted": "perhaps"}, *gone("user-2")])

    run = sync.run(ignore_previous_run=True)

    assert counted(run) == {"fetched": 2, "deleted": 1, "tombstones": 1, "quarantined": 1}
    (error,) = sync.errors(run["id"])
    assert (error["code"], error["details"]["record_id"]) == ("deleted_when", "user-1")
    assert (sync.records("users")["user-1"], balanced(sync, run)) == ({"id": "user-1", "number": 1}, True)
    assert stats(sync.run())["previous_run_date"] is not None


def test_ids_are_those_of_the_integrations_id_path(workspace: Workspace, upstream: Upstream) -> None:
    config = {**CURSOR_PAGES, "resources": {"users": {"list": {"id_path": "key.of"}}}}
    upstream.lists("/users", [{"key": {"of": 1}}, {"key": {"of": 2}}])
    sync = workspace.sync(upstream.url, [USERS], config=config)
    sync.run()
    upstream.lists("/users", [{"key": {"of": 2}, "deleted": True}])

    sync.run()

    assert set(sync.records("users")) == {"1"}


class Told:
    """What a webhook's receiver was told of records."""

    def __init__(self, workspace: Workspace, receiver: Receiver, **wishes: JSON) -> None:
        self.receiver = receiver
        webhook: Any = workspace.api.post("/webhook", {"target_url": receiver.url, **wishes})
        receiver.secret = webhook["secret"]
        self.webhook_id = webhook["id"]

    def batches(self, run: Mapping[str, JSON]) -> list[tuple[str | None, Sequence[JSON]]]:
        """List the changes that a run has told, each with its records."""
        payloads = [one.payload for one in self.receiver.deliveries if one.event == "sync_job_run:record"]
        own = [payload for payload in payloads if payload["sync_job_run_id"] == run["id"]]
        return [(payload["meta"].get("change"), payload["records"]) for payload in own]


def test_a_webhook_is_told_of_every_deletion_by_its_id(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    told = Told(workspace, receiver)
    upstream.lists("/users", [*gone("a", "b"), {"id": "b"}, {"id": "c"}, *gone("c")])
    sync = workspace.sync(upstream.url, [USERS])

    run = sync.run(webhook_id=told.webhook_id)
    wait_for(lambda: "completed" in receiver.events)

    assert told.batches(run) == [(None, [{"id": "b"}]), ("deleted", [{"id": "a"}, {"id": "c"}])]
    assert counted(run) == {"fetched": 5, "repeated": 2, "deleted": 2, "tombstones": 2, "queued": 3}
    assert (stats(run)["delivered"], balanced(sync, run)) == (3, True)
    assert [(row["id"], row["deleted_at"] is not None) for row in log(sync)] == [("b", False), ("a", True), ("c", True)]


def test_a_webhook_that_wants_changes_is_told_of_what_it_knew(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    told = Told(workspace, receiver, changes_only=True)
    sync = workspace.sync(upstream.url, [{**USERS, **SINCE}])
    upstream.lists("/users", [{"id": "a"}, {"id": "b"}, *gone("c")])
    first = sync.run(webhook_id=told.webhook_id)
    upstream.lists("/users", [*gone("a", "c"), {"id": "b"}])
    second, third = sync.run(webhook_id=told.webhook_id), sync.run(webhook_id=told.webhook_id)
    upstream.lists("/users", [{"id": "a"}])
    fourth = sync.run(webhook_id=told.webhook_id)

    assert told.batches(first) == [("created", [{"id": "a"}, {"id": "b"}])]
    assert told.batches(second) == [("deleted", [{"id": "a"}])]
    assert counted(second) == {"fetched": 3, "unchanged": 2, "deleted": 1, "tombstones": 1, "queued": 1}
    assert (told.batches(third), counted(third)) == ([], {"fetched": 3, "unchanged": 3})
    assert told.batches(fourth) == [("created", [{"id": "a"}])]
    assert all(balanced(sync, run) for run in (first, second, third, fourth))


def test_deletions_are_withheld_where_records_are(workspace: Workspace, upstream: Upstream, receiver: Receiver) -> None:
    told = Told(workspace, receiver)
    upstream.lists("/users", [{"id": "a"}, *gone("b")])
    sync = workspace.sync(upstream.url, [USERS])

    run = sync.run(webhook_id=told.webhook_id, events_to_send=["sync_job_run:completed"])

    assert (counted(run), balanced(sync, run)) == ({"fetched": 2, "withheld": 2}, True)


def test_vanished_and_told_deletions_balance_together(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    told = Told(workspace, receiver, changes_only=True)
    tracked = {**USERS, "delete_tracking": "soft"}
    users = numbered("user", 20)
    upstream.lists("/users", users)
    kept, sent = workspace.sync(upstream.url, [tracked]), workspace.sync(upstream.url, [tracked])
    kept.run()
    sent.run(webhook_id=told.webhook_id)
    upstream.lists("/users", [*users[3:], *gone("user-1")])

    stored, run = kept.run(), sent.run(webhook_id=told.webhook_id)

    fate = {"fetched": 18, "unchanged": 17, "deleted": 3, "tombstones": 1}
    assert (counted(stored), counted(run)) == (fate, {**fate, "queued": 3})
    assert (balanced(kept, stored), balanced(sent, run)) == (True, True)
    assert tombstones(kept) == {"user-1", "user-2", "user-3"}
    assert [change for change, _ in told.batches(run)] == ["deleted", "deleted"]
