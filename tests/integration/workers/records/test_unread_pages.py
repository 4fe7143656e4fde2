"""What a run has not read, the next one asks for again: by resource, and along the line that leads to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.support.http_server import Request, Response
from tests.support.patience import WaitFor
from tests.support.upstream import Answer, Upstream, numbered, reply
from tests.support.workspace import Workspace, child_of, listed

SINCE = "{{previous_run_date:undefined}}"
QUERY = {"query": {"since": SINCE}}
USERS = listed("users", **QUERY)
LOGS = listed("logs", **QUERY)
NOTES = child_of("users", "notes", query={"parent": "{{resources.users.id}}", "since": SINCE})
REPLIES = child_of("notes", "replies", query={"parent": "{{resources.notes.id}}", "since": SINCE})
MARKS = child_of("users", "marks", query={"parent": "{{resources.users.id}}", "since": SINCE})
TREE = [USERS, NOTES, REPLIES, MARKS, LOGS]

PICKED = {"type": "transform", "name": "picked", "depends_on": "users"}
ALL = {"type": "spool", "name": "all", "depends_on": "users"}
SUMS = {"type": "transform", "name": "sums", "depends_on": "all", "resource": "sums", "persist": True}


class DatelessUpstream(Upstream):
    """Tells no time: a Date has whole seconds, by which one run's bound could be before that of the run before it."""

    def _answer(self, request: Request) -> Response:
        answer = super()._answer(request)
        return replace(answer, headers={**answer.headers, "Date": "some day"})


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = DatelessUpstream()
    yield server
    server.close()


def bounds(run: JsonObject) -> dict[str, datetime | None]:
    """Tell from when each resource of a run asks, and under '' the run itself."""
    dates = {
        name: books["previous_run_date"]
        for name, methods in run["resource_stats"].items()
        for books in methods.values()
    }
    return {
        name: datetime.fromisoformat(date) if date else None
        for name, date in {**dates, "": run["previous_run_date"]}.items()
    }


def held_back(before: JsonObject, after: JsonObject) -> set[str]:
    """Name the resources that ask from where they did; the others must ask from later on, and all with their run."""
    first, second = bounds(before), bounds(after)
    asked = {name: bound for name, bound in second.items() if name and bound}
    assert second[""] == min(asked.values())
    held = {name for name, bound in asked.items() if bound == first[name]}
    assert all((first[name] or datetime.min.replace(tzinfo=UTC)) < asked[name] for name in asked.keys() - held)
    return held


def serve(upstream: Upstream) -> None:
    """Serve three pages of two users, each with a note that has a reply, and logs."""
    users = numbered("user", 6)
    notes = {user["id"]: [{"id": f"{user['id']}-note"}] for user in users}
    upstream.lists("/users", users, page_size=2)
    upstream.lists("/logs", numbered("log", 2))
    upstream.lists_by("/notes", "parent", notes)
    upstream.lists_by("/marks", "parent", {user["id"]: [] for user in users})
    upstream.lists_by("/replies", "parent", {of[0]["id"]: [{"id": f"{of[0]['id']}-reply"}] for of in notes.values()})


def broken(upstream: Upstream, path: str, parameter: str, value: str | None) -> None:
    """Answer 403 to the requests for a path with this value of a parameter."""
    answer: Answer = upstream._answers[path]
    upstream.answers(path, lambda request: reply({}, 403) if request.query.get(parameter) == value else answer(request))


@dataclass(frozen=True, slots=True)
class Case:
    """A fault of the second run, and the resources of the third one that ask from where those of the second did."""

    fault: Callable[[Upstream], object]
    held: str
    resources: list[JsonObject] = field(default_factory=lambda: TREE)


def of(path: str, parameter: str, value: str | None) -> Callable[[Upstream], object]:
    return lambda upstream: broken(upstream, path, parameter, value)


def both(*faults: Callable[[Upstream], object]) -> Callable[[Upstream], object]:
    return lambda upstream: [fault(upstream) for fault in faults]


def gives(path: str, *records: JSON) -> Callable[[Upstream], object]:
    return lambda upstream: upstream.lists(path, records)


BELOW_USERS = "users notes replies marks"
RECURSIVE = listed(
    "users",
    **QUERY,
    recurse={"if": "{{resources.users.more?:false:bool}}", "config": {"query": {"of": "{{resources.users.of}}"}}},
)
CASES = {
    "nothing": Case(lambda upstream: None, ""),
    "first-page": Case(of("/users", "cursor", None), BELOW_USERS),
    "middle-page": Case(of("/users", "cursor", "2"), BELOW_USERS),
    "last-page": Case(of("/users", "cursor", "4"), BELOW_USERS),
    "other-root": Case(of("/logs", "cursor", None), "logs"),
    "child": Case(of("/notes", "parent", "user-3"), "users notes replies"),
    "child-without-children": Case(of("/marks", "parent", "user-6"), "users marks"),
    "grandchild": Case(of("/replies", "parent", "user-1-note"), "users notes replies"),
    "two": Case(both(of("/marks", "parent", "user-6"), of("/logs", "cursor", None)), "users marks logs"),
    "loop-of-a-child": Case(
        gives("/users", {"id": "user-1", "tags": "none"}),
        "users notes",
        [USERS, {**NOTES, "loop_on": "resources.users.tags"}, MARKS, LOGS],
    ),
    "recursion": Case(gives("/users", {"id": "user-1", "more": True}), "users marks", [RECURSIVE, MARKS, LOGS]),
    "transform": Case(
        gives("/users", {"id": "user-1", "count": "one"}),
        "users picked notes",
        [USERS, {**PICKED, "config": {"expression": "records.{'id': id, 'n': $number(count)}"}},
         {**NOTES, "depends_on": "picked", "query": {"parent": "{{resources.picked.id}}"}}, MARKS, LOGS],
    ),
    "behind-a-spool": Case(
        gives("/users", {"id": "user-1", "count": "one"}),
        "users all sums",
        [USERS, ALL, {**SUMS, "config": {"expression": "{'id': 'sum', 'n': $number(records[0].count)}"}}, MARKS, LOGS],
    ),
    "too-many-vanished": Case(
        gives("/plain", {"id": "plain-1"}), "", [listed("plain", delete_tracking="soft"), LOGS]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_was_not_read_is_asked_for_again(workspace: Workspace, upstream: Upstream, case: Case) -> None:
    serve(upstream)
    upstream.lists("/plain", numbered("plain", 10))
    users = [{"id": "user-1", "tags": [], "count": "1"}]
    if case.resources is not TREE:
        upstream.lists("/users", users)
    sync = workspace.sync(upstream.url, case.resources)
    sync.run()
    case.fault(upstream)

    second = sync.run()
    third = sync.run()

    assert (second["status"], third["status"]) == ("completed", "completed")
    assert held_back(second, third) == set(case.held.split())


def test_a_passing_fault_of_an_increment_loses_nothing_in_the_end(workspace: Workspace, upstream: Upstream) -> None:
    records = numbered("user", 40)
    upstream.lists("/users", [])
    sync = workspace.sync(upstream.url, [USERS, LOGS])
    upstream.lists("/logs", [])
    first = sync.run()
    asked_from: list[str | None] = []

    def changed(request: Request) -> Response:
        """Give the forty that have changed since the first run to who asks from before it, ten by ten."""
        asked_from.append(request.query.get("since"))
        start = int(request.query.get("cursor", "0"))
        if start == 10 and len(asked_from) == 2:
            return reply({}, 409)
        is_late = datetime.fromisoformat(str(request.query["since"])) > datetime.fromisoformat(first["started_at"])
        left = [] if is_late else records
        end = start + 10
        return reply({"data": left[start:end], "next_cursor": str(end) if end < len(left) else None})

    upstream.answers("/users", changed)
    second = sync.run(overlap_seconds=0)
    assert (second["status"], len(sync.records("users"))) == ("completed", 10)

    third = sync.run(overlap_seconds=0)

    assert (third["status"], len(sync.records("users"))) == ("completed", 40)
    assert set(asked_from) == {second["previous_run_date"]}
    assert third["previous_run_date"] == second["previous_run_date"]
    assert held_back(second, third) == {"users"}
    assert held_back(third, sync.run(overlap_seconds=0)) == set()


def test_after_a_first_run_with_an_error_only_the_broken_resource_asks_for_everything_again(
    workspace: Workspace, upstream: Upstream
) -> None:
    serve(upstream)
    broken(upstream, "/users", "cursor", "2")
    sync = workspace.sync(upstream.url, [USERS, LOGS])
    assert set(bounds(sync.run()).values()) == {None}
    serve(upstream)

    second = sync.run()

    assert (bounds(second)["users"], second["previous_run_date"]) == (None, None)
    assert bounds(second)["logs"] is not None
    assert [("since" in request.query) for request in upstream.asked("/logs")] == [False, True]
    assert not any("since" in request.query for request in upstream.asked("/users"))
    assert None not in bounds(sync.run()).values()


def test_a_resume_that_mends_the_errors_lets_the_bound_move_on(workspace: Workspace, upstream: Upstream) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, TREE)
    sync.run()
    broken(upstream, "/notes", "parent", "user-3")
    second = sync.run()
    serve(upstream)

    workspace.api.post(f"/sync-job-run/{second['id']}/resume", {"errors_only": True})
    assert sync.finished(second["id"])["status"] == "completed"

    assert held_back(second, sync.run()) == set()


def test_a_resume_that_fails_again_holds_the_bound_still(workspace: Workspace, upstream: Upstream) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, TREE)
    sync.run()
    broken(upstream, "/notes", "parent", "user-3")
    second = sync.run()

    workspace.api.post(f"/sync-job-run/{second['id']}/resume", {"errors_only": True})
    assert sync.finished(second["id"])["status"] == "completed"

    assert held_back(second, sync.run()) == {"users", "notes", "replies"}


def test_work_that_a_resume_has_left_out_moves_nothing(
    workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, TREE)
    sync.run()
    broken(upstream, "/logs", "cursor", None)
    gate = upstream.gate("/users", from_cursor="4")
    run_id = sync.start()
    gate.wait_for_request()
    wait_for(lambda: sync.errors(run_id))
    workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    gate.open()
    serve(upstream)

    workspace.api.post(f"/sync-job-run/{run_id}/resume", {"errors_only": True})

    stopped = sync.finished(run_id)
    assert (stopped["status"], stopped["error"]["code"]) == ("failed", "unfinished")
    assert held_back(stopped, sync.run()) == {"users", "notes", "replies", "marks", "logs"}


def test_a_loop_without_an_array_holds_its_resource(workspace: Workspace, upstream: Upstream) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, [{**USERS, "loop_on": "args.ids"}, MARKS, LOGS])

    assert sync.run(args={})["status"] == "completed"

    second = sync.run(args={})
    assert [name for name, bound in bounds(second).items() if bound] == ["logs"]


def test_a_new_resource_asks_for_everything_and_so_does_all_that_leads_to_it(
    workspace: Workspace, upstream: Upstream
) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, [USERS, NOTES, LOGS])
    sync.run()
    workspace.api.patch(f"/sync-job/{sync.job_id}", {"resources": TREE})

    second, third = sync.run(), sync.run()

    found = bounds(second)
    assert {name for name, bound in found.items() if bound is None} == {"", "users", "replies", "marks", "notes"}
    assert None not in bounds(third).values()


def test_a_resource_of_the_same_name_that_asks_for_something_else_is_new(
    workspace: Workspace, upstream: Upstream
) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, [{**USERS, "name": "people"}, LOGS])
    sync.run()
    workspace.api.patch(
        f"/sync-job/{sync.job_id}", {"resources": [{**LOGS, "name": "people"}, {**LOGS, "name": "logs"}]}
    )

    found = bounds(sync.run())

    assert (found["people"], found["logs"] is None) == (None, False)


def test_a_run_that_ignores_the_previous_one_asks_for_everything_and_counts_for_the_next(
    workspace: Workspace, upstream: Upstream
) -> None:
    serve(upstream)
    sync = workspace.sync(upstream.url, TREE)
    sync.run()
    broken(upstream, "/logs", "cursor", None)
    sync.run()
    serve(upstream)

    full = sync.run(ignore_previous_run=True)

    assert set(bounds(full).values()) == {None}
    assert None not in bounds(sync.run()).values()


def test_a_dry_run_shows_what_each_resource_would_ask_from(workspace: Workspace, upstream: Upstream) -> None:
    serve(upstream)
    broken(upstream, "/users", "cursor", "2")
    sync = workspace.sync(upstream.url, [USERS, LOGS])
    sync.run()

    shown: Any = workspace.api.post("/sync-job-run?dry_run=true", sync.body)

    urls = {one["name"]: one["request"]["url"] for one in shown["resources"]}
    assert ("since" in urls["users"], "since" in urls["logs"]) == (False, True)


def test_a_created_run_tells_at_once_from_when_its_resources_ask(workspace: Workspace, upstream: Upstream) -> None:
    serve(upstream)
    broken(upstream, "/logs", "cursor", None)
    sync = workspace.sync(upstream.url, TREE)
    sync.run()
    sync.run()

    created: Any = workspace.api.post("/sync-job-run", sync.body)

    assert bounds(created) == bounds(sync.finished(created["id"]))
    assert {name for name, bound in bounds(created).items() if bound is None} == {"", "logs"}
