"""Daemon runs from POST to records, on real daemons against a real HTTP server."""

import json
from typing import Any

from app.engine.json_types import JsonObject
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Workspace, child_of, listed


def by_id(records: list[Any]) -> dict[str, Any]:
    return {record["id"]: record for record in records}


def stats(run: Any, resource: str, method: str = "list") -> dict[str, Any]:
    return dict(run["resource_stats"][resource][method])


def test_run_persists_parents_children_and_grandchildren(workspace: Workspace, upstream: Upstream) -> None:
    teams = numbered("team", 3)
    members = {team["id"]: numbered(f"{team['id']}-member", team["number"]) for team in teams}
    badges = {m["id"]: numbered(f"{m['id']}-badge", 2) for team in members.values() for m in team}
    upstream.lists("/teams", teams, page_size=2)
    upstream.lists_by("/members", "parent", members)
    upstream.lists_by("/badges", "team", {"team-1": badges["team-1-member-1"], "team-2": [], "team-3": []})
    sees_grandparent = {"team": "{{resources.teams.id}}", "member": "{{resources.members.id}}"}
    resources = [
        child_of("members", "badges", query=sees_grandparent),
        listed("teams"),
        child_of("teams", "members"),
    ]

    sync = workspace.sync(upstream.url, resources)
    run = sync.run()

    assert run["status"] == "completed", run["error"]
    assert sync.records("teams") == by_id(teams)
    assert sync.records("members") == by_id([m for team in members.values() for m in team])
    assert sync.records("badges") == by_id(badges["team-1-member-1"])
    asked = sorted((request.query["team"], request.query["member"]) for request in upstream.asked("/badges"))
    assert asked == sorted((team, m["id"]) for team in members for m in members[team])


def test_books_balance_and_times_are_in_order(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 25), page_size=10)

    run = workspace.sync(upstream.url, [listed("users")]).run()

    books = stats(run, "users")
    expected = {"pages": 3, "fetched": 25, "created": 25, "persisted": 25, "errors": 0, "status": "completed"}
    assert expected.items() <= books.items()
    assert run["created_at"] <= run["started_at"] <= run["finished_at"]
    assert run["daemon_id"] in {daemon["id"] for daemon in workspace.api.get("/daemon")["result"]}


def test_run_shows_how_far_it_is_while_it_runs(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 25), page_size=10)
    gate = upstream.gate("/users", from_cursor="10")
    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run_id = sync.start()
    gate.wait_for_request()

    run = sync.show(run_id)
    gate.open()

    assert (run["status"], run["finished_at"], run["error"]) == ("running", None, None)
    assert {"fetched": 10, "persisted": 10, "status": "running"}.items() <= stats(run, "users").items()
    assert sync.finished(run_id)["status"] == "completed"


def test_second_run_finds_everything_unchanged_but_what_changed(workspace: Workspace, upstream: Upstream) -> None:
    users = numbered("user", 12)
    upstream.lists("/users", users, page_size=5)
    sync = workspace.sync(upstream.url, [listed("users")])
    sync.run()

    users[3] = {**users[3], "number": 400}
    users.append({"id": "user-13", "number": 13})
    books = stats(sync.run(), "users")

    assert {"created": 1, "updated": 1, "unchanged": 11, "persisted": 2}.items() <= books.items()
    assert sync.records("users") == by_id(users)


def test_parent_that_is_not_persisted_still_feeds_its_children(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 2))
    upstream.lists_by("/notes", "parent", {"user-1": numbered("a", 1), "user-2": numbered("b", 1)})
    resources = [{"resource": "users", "method": "list"}, child_of("users", "notes")]

    sync = workspace.sync(upstream.url, resources)
    run = sync.run()

    assert run["status"] == "completed"
    assert (sync.records("users"), set(sync.records("notes"))) == ({}, {"a-1", "b-1"})
    assert (stats(run, "users")["fetched"], stats(run, "users")["persisted"]) == (2, 0)


def test_loop_repeats_the_request_for_each_element(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists_by("/notes", "user", {"u 1": numbered("a", 1), "u&2": numbered("b", 2)})
    notes = listed("notes", loop_on="user_ids", query={"user": "{{args.user_ids}}"})
    schema = {"user_ids": {"type": "array", "required": True}}

    sync = workspace.sync(upstream.url, [notes], args_schema=schema)
    run = sync.run(args={"user_ids": ["u 1", "u&2"]})

    assert run["status"] == "completed"
    assert set(sync.records("notes")) == {"a-1", "b-1", "b-2"}


def test_empty_loop_asks_nothing_and_completes(workspace: Workspace, upstream: Upstream) -> None:
    notes = listed("notes", loop_on="args.user_ids", query={"user": "{{args.user_ids}}"})

    run = workspace.sync(upstream.url, [notes]).run(args={"user_ids": []})

    assert run["status"] == "completed"
    assert upstream.requests == []


def test_args_are_bound_with_their_defaults_and_types(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [])
    query = {"size": "{{args.size}}", "since": "{{args.since}}", "kind": "{{args.kind:undefined}}"}
    schema = {"size": {"type": "number", "default": 7}, "since": {"type": "string", "format": "date"}}

    run = workspace.sync(upstream.url, [listed("users", query=query)], args_schema=schema).run(
        args={"since": "2026-01-05"}
    )

    assert run["args"] == {"size": 7, "since": "2026-01-05"}
    assert {"size": "7", "since": "2026-01-05"}.items() <= upstream.requests[0].query.items()
    assert "kind" not in upstream.requests[0].query


def test_get_and_create_send_id_and_body(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers("/users/u-7", reply({"id": "u-7", "name": "Ann"}))
    upstream.answers("/exports", reply({"id": "export-1"}, 201))
    resources: list[JsonObject] = [
        {"resource": "users", "method": "get", "id": "{{args.user}}", "persist": True},
        {"resource": "exports", "method": "create", "body": {"users": ["{{args.user}}"], "n": "{{args.n:int}}"}},
    ]

    sync = workspace.sync(upstream.url, resources, config={})
    run = sync.run(args={"user": "u-7", "n": "3"})

    assert run["status"] == "completed", sync.errors(run["id"])
    assert sync.records("users") == {"u-7": {"id": "u-7", "name": "Ann"}}
    assert [json.loads(request.body) for request in upstream.asked("/exports")] == [{"users": ["u-7"], "n": 3}]


def test_account_context_signs_requests_and_is_never_shown(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 1))
    config = {
        "authorization": {"format": "bearer"},
        "headers": {"x-region": "{{region}}"},
        "response_path": "data",
    }
    context = {"access_token": "s3cret-token", "region": "eu"}

    sync = workspace.sync(upstream.url, [listed("users")], config=config, context=context)
    run = sync.run()

    assert run["status"] == "completed", run["error"]
    sent = upstream.requests[0].headers
    assert (sent["authorization"], sent["x-region"]) == ("Bearer s3cret-token", "eu")
    assert "s3cret-token" not in str(workspace.api.get(f"/integrated-account/{sync.account_id}"))


def test_run_may_replace_the_resources_of_its_job(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/teams", numbered("team", 1))

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run(resources=[listed("teams")])

    assert (run["status"], list(run["resource_stats"])) == ("completed", ["teams"])
    assert [item["resource"] for item in run["sync_job"]["resources"]] == ["users"]


def test_same_resource_twice_is_told_apart_by_name(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists_by("/users", "kind", {"admin": numbered("admin", 2), "guest": numbered("guest", 3)})
    upstream.lists_by("/notes", "parent", {"admin-1": numbered("n", 1), "admin-2": []})
    resources = [
        listed("users", name="admins", query={"kind": "admin"}),
        listed("users", name="guests", query={"kind": "guest"}),
        listed("notes", depends_on="admins", query={"parent": "{{resources.users.id}}"}),
    ]

    sync = workspace.sync(upstream.url, resources)
    run = sync.run()

    assert run["status"] == "completed", sync.errors(run["id"])
    assert (stats(run, "admins")["created"], stats(run, "guests")["created"]) == (2, 3)
    assert set(sync.records("notes")) == {"n-1"}
