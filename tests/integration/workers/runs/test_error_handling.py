"""What goes wrong in a run is a recorded error that says where, and the run ends."""

import pytest

from tests.support.http_server import Response
from tests.support.patience import WaitFor
from tests.support.upstream import Upstream, numbered, reply, reply_raw
from tests.support.workspace import CURSOR_PAGES, Workspace, child_of, listed

ODD_ANSWERS = {
    "unauthorized": (reply({"error": "bad key"}, 401), "http_401"),
    "forbidden": (reply({"error": "no scope"}, 403), "http_403"),
    "not-found": (reply({"error": "gone"}, 404), "http_404"),
    "server-error": (reply({"error": "oops"}, 500), "http_500"),
    "html": (reply_raw(b"<html><body>Log in first</body></html>", "text/html"), "not_json"),
    "html-that-claims-to-be-json": (reply_raw(b"<!doctype html><p>hi"), "not_json"),
    "empty-body": (reply_raw(b""), "empty_body"),
    "no-records": (reply({"items": [{"id": 1}]}), "no_records"),
    "unknown-charset": (reply_raw(b'{"data": [{"id": "caf\xe9"}]}', "application/json; charset=none-such"), "not_json"),
    "cut-off": (reply_raw(b'{"data": [{"id": 1}'), "not_json"),
    "same-cursor-for-ever": (reply({"data": [{"id": "1"}], "next_cursor": "again"}), "repeated_page"),
}


@pytest.mark.parametrize(("answer", "code"), ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_odd_answer_is_a_recorded_error_of_its_resource_alone(
    workspace: Workspace, upstream: Upstream, answer: Response, code: str
) -> None:
    upstream.answers("/odd", answer)
    upstream.lists("/users", numbered("user", 2))

    sync = workspace.sync(upstream.url, [listed("odd"), listed("users")])
    run = sync.run()

    assert run["status"] == "completed", run["error"]
    (error,) = sync.errors(run["id"])
    assert (error["resource"], error["method"], error["code"]) == ("odd", "list", code)
    assert run["resource_stats"]["odd"]["list"]["errors"] == 1
    assert set(sync.records("users")) == {"user-1", "user-2"}


def test_upstream_that_does_not_answer_in_time_is_a_recorded_error(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/slow", [])
    upstream.gate("/slow")
    config = {**CURSOR_PAGES, "resources": {"slow": {"list": {"timeout_seconds": 1}}}}

    sync = workspace.sync(upstream.url, [listed("slow")], config=config)
    run = sync.run()

    assert [error["code"] for error in sync.errors(run["id"])] == ["timeout"]


def test_upstream_that_is_not_there_is_a_recorded_error(workspace: Workspace, upstream: Upstream) -> None:
    upstream.close()

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run()

    assert [error["code"] for error in sync.errors(run["id"])] == ["connect"]


def test_ignore_keeps_what_came_before_the_error_and_goes_on(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 3))
    upstream.lists_by("/notes", "parent", {"user-1": numbered("a", 1), "user-3": numbered("c", 1)})

    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run = sync.run(error_handling="ignore")

    assert (run["status"], run["error"]) == ("completed", None)
    (error,) = sync.errors(run["id"])
    assert (error["resource"], error["code"]) == ("notes", "http_404")
    assert "user-2" in str(error["details"])
    assert set(sync.records("notes")) == {"a-1", "c-1"}


def test_fail_fast_ends_the_run_at_the_first_error_with_its_reason(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers("/users", reply({"error": "no"}, 403))
    upstream.lists("/notes", [])

    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run = sync.run(error_handling="fail_fast")

    assert run["status"] == "failed"
    assert (run["error"]["code"], run["error"]["resource"]) == ("http_403", "users")
    assert "403" in run["error"]["message"]
    assert upstream.asked("/notes") == []


def test_failing_parent_keeps_its_children_from_running(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers("/users", reply({"error": "no"}, 404))

    run = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")]).run()

    notes = run["resource_stats"]["notes"]["list"]
    assert (notes["fetched"], notes["errors"], notes["skipped"]) == (0, 0, 1)


def test_placeholder_that_does_not_resolve_is_an_error_that_names_its_path(
    workspace: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/users", [{"id": "user-1", "team": {"id": "t1"}}, {"id": "user-2"}])
    upstream.lists_by("/notes", "team", {"t1": numbered("n", 1)})
    notes = child_of("users", "notes", query={"team": "{{resources.users.team.id}}"})

    sync = workspace.sync(upstream.url, [listed("users"), notes])
    run = sync.run()

    (error,) = sync.errors(run["id"])
    assert (error["resource"], error["code"]) == ("notes", "placeholder")
    assert "resources.users.team.id" in error["message"]
    assert [request.query["team"] for request in upstream.asked("/notes")] == ["t1"]


@pytest.mark.parametrize("value", ["u1", {"u1": 1}, 7, None], ids=["text", "object", "number", "null"])
def test_loop_on_something_other_than_an_array_is_a_recorded_error(
    workspace: Workspace, upstream: Upstream, value: object
) -> None:
    upstream.lists("/users", numbered("user", 1))
    notes = listed("notes", loop_on="args.user_ids", query={"user": "{{args.user_ids}}"})

    sync = workspace.sync(upstream.url, [notes, listed("users")])
    run = sync.run(args={"user_ids": value})

    (error,) = sync.errors(run["id"])
    assert (error["resource"], error["code"]) == ("notes", "loop_on")
    assert "args.user_ids" in error["message"]
    assert set(sync.records("users")) == {"user-1"}


def test_passing_fault_is_retried_and_leaves_no_error(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers_in_turn("/users", reply({"error": "busy"}, 503), reply({"data": [{"id": "user-1"}]}))

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run()

    assert (run["status"], sync.errors(run["id"])) == ("completed", [])
    assert set(sync.records("users")) == {"user-1"}


def test_long_rate_limit_parks_the_run_until_it_is_over(
    workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    upstream.answers_in_turn(
        "/users", reply({"error": "slow down"}, 429, {"Retry-After": "6"}), reply({"data": [{"id": "user-1"}]})
    )
    sync = workspace.sync(upstream.url, [listed("users")])

    run_id = sync.start()
    wait_for(lambda: sync.status(run_id) == "rate_limited", what="the status rate_limited")

    run = sync.finished(run_id)
    assert (run["status"], sync.errors(run_id)) == ("completed", [])
    assert set(sync.records("users")) == {"user-1"}


def test_records_without_an_id_or_shape_are_kept_apart(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", [{"id": "user-1"}, {"name": "nobody"}, {"id": "user-1"}])

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.run()

    books = run["resource_stats"]["users"]["list"]
    assert run["status"] == "completed", run["error"]
    assert books["fetched"] == books["created"] + books["repeated"] + books["quarantined"] == 3
