"""Records that vanish upstream: tombstones after a complete pass, and never too many."""

from app.engine.json_types import JsonObject
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Sync, Workspace, child_of, listed

USERS = numbered("user", 20)
TRACKED = listed("users", delete_tracking="soft")


def stats(run: JsonObject, resource: str = "users") -> JsonObject:
    return dict(run["resource_stats"][resource]["list"])


def tombstones(sync: Sync) -> set[str]:
    query = {"integrated_account_id": sync.account_id, "with_deleted": "true", "limit": 1000}
    return {row["id"] for row in sync.api.get("/record", query)["result"] if row["deleted_at"]}


def ids(users: list[JsonObject]) -> set[str]:
    return {user["id"] for user in users}


def test_what_a_complete_pass_did_not_see_becomes_a_tombstone(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", USERS, page_size=7)
    sync = workspace.sync(upstream.url, [TRACKED])
    sync.run()
    upstream.lists("/users", USERS[3:], page_size=7)

    run = sync.run()

    assert (run["status"], stats(run)["deleted"], stats(run)["unchanged"]) == ("completed", 3, 17)
    assert (tombstones(sync), set(sync.records("users"))) == (ids(USERS[:3]), ids(USERS[3:]))


def test_a_tombstone_comes_back_when_it_is_seen_again_or_restored(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", USERS)
    sync = workspace.sync(upstream.url, [TRACKED])
    sync.run()
    upstream.lists("/users", USERS[4:])
    deleting = sync.run()
    upstream.lists("/users", USERS[2:])
    sync.run()
    assert tombstones(sync) == ids(USERS[:2])

    undo = {"integrated_account_id": sync.account_id, "sync_job_run_id": deleting["id"]}
    assert sync.api.post("/record/restore", undo) == {"restored": 2}
    assert sync.api.post("/record/restore", undo) == {"restored": 0}

    assert sync.records("users") == {user["id"]: user for user in USERS}


def test_more_than_a_fifth_is_not_deleted_but_an_error(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", USERS)
    sync = workspace.sync(upstream.url, [TRACKED])
    sync.run()
    upstream.lists("/users", USERS[5:])

    run = sync.run()

    (error,) = sync.errors(run["id"])
    assert (run["status"], error["code"], error["resource"]) == ("completed", "delete_guard", "users")
    assert error["details"] == {"vanished": 5, "held": 20}
    assert (stats(run)["errors"], stats(run)["deleted"], tombstones(sync)) == (1, 0, set())


def test_an_empty_answer_deletes_nothing_and_fails_a_run_that_fails_fast(
    workspace: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/users", USERS)
    sync = workspace.sync(upstream.url, [TRACKED])
    sync.run()
    upstream.lists("/users", [])

    run = sync.run(error_handling="fail_fast")

    assert (run["status"], run["error"]["code"]) == ("failed", "delete_guard")
    assert set(sync.records("users")) == ids(USERS)


def test_a_pass_with_errors_deletes_nothing(workspace: Workspace, upstream: Upstream) -> None:
    notes = {user["id"]: numbered(f"{user['id']}-note", 2) for user in USERS}
    upstream.lists("/users", USERS)
    upstream.lists_by("/notes", "parent", notes)
    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes", delete_tracking="hard")])
    sync.run()
    left = {**notes, "user-1": []}
    # Whoever is not named is answered 404.
    upstream.lists_by("/notes", "parent", {user: of for user, of in left.items() if user != "user-2"})

    assert stats(sync.run(), "notes")["errors"] == 1
    assert tombstones(sync) == set()

    upstream.lists_by("/notes", "parent", left)
    assert stats(sync.run(), "notes")["deleted"] == 2
    assert tombstones(sync) == ids(notes["user-1"])


def test_an_increment_deletes_nothing(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", USERS)
    sync = workspace.sync(upstream.url, [{**TRACKED, "query": {"since": "{{previous_run_date:undefined}}"}}])
    sync.run()
    upstream.lists("/users", USERS[2:])

    assert stats(sync.run())["deleted"] == 0
    assert stats(sync.run(ignore_previous_run=True))["deleted"] == 2
