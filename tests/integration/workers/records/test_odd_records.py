"""Records as real APIs give them: odd ids, repeats, hostile text, and things that vanish while a run is under way."""

import json
from typing import Any

import pytest

from tests.support.http_server import Request, Response
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered, reply, reply_raw
from tests.support.workspace import CURSOR_PAGES, Workspace, child_of, listed


def books_of(run: Any, resource: str) -> dict[str, Any]:
    return dict(run["resource_stats"][resource]["list"])


def assert_balanced(run: Any, resource: str) -> None:
    books = books_of(run, resource)
    kept = books["created"] + books["updated"] + books["unchanged"] + books["repeated"]
    assert (run["status"], books["fetched"]) == ("completed", kept + books["quarantined"]), run["error"]


ODD_RECORDS: dict[str, list[Any]] = {
    "integer-ids": [{"id": 1}, {"id": 2**70}],
    "same-id-twice": [{"id": "a", "v": 1}, {"id": "a", "v": 2}],
    "text-and-number-that-look-alike": [{"id": 1}, {"id": "1"}],
    "no-id": [{"name": "x"}, {"name": "x"}, {"name": "y"}],
    "null-and-empty-ids": [{"id": None}, {"id": ""}],
    "object-id": [{"id": {"a": 1}}, {"id": [1]}],
    "no-objects": ["text", 7, None, True, ["list"]],
    "hostile-text": [{"id": "'; drop table record; --"}, {"id": "\\u0000\\"}, {"id": "{{args.secret}}"}],
    "unicode": [{"id": "naïve 名前 🚢"}, {"id": "e\u0301"}, {"id": "é"}],
    "deep": [{"id": "deep", "v": [[[[[[[[{"a": [1]}]]]]]]]]}],
    "deep beyond what orjson writes": [{"id": "deep", "v": json.loads("[" * 700 + "]" * 700)}],
    "long-id": [{"id": "x" * 10_000}],
}


@pytest.mark.parametrize("records", ODD_RECORDS.values(), ids=ODD_RECORDS.keys())
def test_odd_records_are_kept_or_quarantined_and_the_books_balance(
    workspace: Workspace, upstream: Upstream, records: list[Any]
) -> None:
    upstream.lists("/things", records)
    sync = workspace.sync(upstream.url, [listed("things")])

    first = sync.run()
    rows = sync.rows("things")
    second = sync.run()

    assert_balanced(first, "things")
    assert_balanced(second, "things")
    assert len(sync.errors(first["id"])) == books_of(first, "things")["errors"]
    assert len(rows) == books_of(first, "things")["created"]
    assert all(row["data"] in records for row in rows)
    assert books_of(second, "things")["created"] == 0


def test_exact_numbers_and_lone_surrogates_survive(workspace: Workspace, upstream: Upstream) -> None:
    raw = b'{"data": [{"id": "n", "big": 12345678901234567890123, "exact": 0.1, "odd": "\\ud800", "nul": "a\\u0000b"}]}'
    upstream.answers("/things", reply_raw(raw))

    sync = workspace.sync(upstream.url, [listed("things")])
    run = sync.run()

    assert_balanced(run, "things")
    (kept,) = sync.records("things").values()
    assert (kept["big"], kept["exact"]) == (12345678901234567890123, 0.1)


def test_records_that_expressions_make_are_kept_exactly_and_storably(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers("/things", reply_raw(b'{"data": [{"id": 18446744073709551617}, {"id": 9007199254740993}]}'))
    spool = {"type": "spool", "name": "all", "depends_on": "things"}
    made = {"type": "transform", "name": "made", "depends_on": "all", "persist": True}
    sync = workspace.sync(
        upstream.url,
        [
            {"resource": "things", "method": "list"},
            spool,
            {**made, "config": {"expression": r"records.{'id': id, 'text': 'a\u0000b'}"}},
        ],
    )

    run = sync.run()

    assert (run["status"], sync.errors(run["id"])) == ("completed", [])
    expected = {id: {"id": id, "text": "a\ufffdb"} for id in ("18446744073709551617", "9007199254740993")}
    assert {row["data"]["id"]: row["data"] for row in sync.rows("things")} == expected


def test_many_parents_are_cut_into_units_and_every_child_arrives(workspace: Workspace, upstream: Upstream) -> None:
    users = numbered("user", 1_200)
    upstream.lists("/users", users, page_size=400)
    upstream.answers("/notes", lambda request: reply({"data": [{"id": f"note-of-{request.query['parent']}"}]}))

    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run = sync.run()

    assert_balanced(run, "notes")
    assert set(sync.records("notes")) == {f"note-of-{user['id']}" for user in users}
    assert len(upstream.asked("/notes")) == len(users)


def test_runs_side_by_side_of_one_account_leave_one_record_each(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 200), page_size=20)
    sync = workspace.sync(upstream.url, [listed("users")])

    runs = [sync.finished(run_id) for run_id in [sync.start() for _ in range(6)]]

    for run in runs:
        assert_balanced(run, "users")
    assert sum(books_of(run, "users")["created"] for run in runs) == 200
    assert len(sync.rows("users")) == 200


def test_secret_that_an_upstream_echoes_is_masked_in_the_error(workspace: Workspace, upstream: Upstream) -> None:
    def echo(request: Request) -> Response:
        return reply({"error": f"bad key {request.headers['x-api-key']} at {request.query}"}, 401)

    upstream.answers("/users", echo)
    authorization = {"format": "header", "config": {"header_name": "x-api-key", "header_value": "{{context.api_key}}"}}
    config = {**CURSOR_PAGES, "authorization": authorization}

    sync = workspace.sync(upstream.url, [listed("users")], config=config, context={"api_key": "hush-hush-hush"})
    run = sync.run(error_handling="fail_fast")

    assert run["status"] == "failed"
    assert "hush-hush-hush" not in str(run) + str(sync.errors(run["id"]))
    assert "bad key" in str(sync.errors(run["id"]))


def test_missing_credential_is_an_error_that_names_it(workspace: Workspace, upstream: Upstream) -> None:
    config = {**CURSOR_PAGES, "headers": {"x-key": "{{context.api_key}}"}}

    sync = workspace.sync(upstream.url, [listed("users")], config=config)
    run = sync.run()

    (error,) = sync.errors(run["id"])
    assert (error["code"], "context.api_key" in error["message"]) == ("placeholder", True)
    assert upstream.requests == []


def test_unknown_custom_method_is_a_recorded_error(workspace: Workspace, upstream: Upstream) -> None:
    sync = workspace.sync(upstream.url, [{"resource": "users", "method": "archive"}])
    run = sync.run()

    assert [error["code"] for error in sync.errors(run["id"])] == ["unknown_method"]


def test_limited_account_does_not_hold_another_up(workspace: Workspace, upstream: Upstream) -> None:
    limited = Upstream()
    limited.answers("/users", reply({}, 429, {"Retry-After": "600"}))
    upstream.lists("/users", numbered("user", 5))
    parked = [workspace.sync(limited.url, [listed("users")]) for _ in range(20)]
    waiting = [(sync, sync.start()) for sync in parked]

    run = workspace.sync(upstream.url, [listed("users")]).run()

    assert_balanced(run, "users")
    for sync, run_id in waiting:
        sync.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    assert {sync.finished(run_id)["status"] for sync, run_id in waiting} == {"stopped"}
    limited.close()


@pytest.mark.parametrize("thing", ["sync-job", "integrated-account"])
def test_run_whose_job_or_account_is_deleted_still_ends(workspace: Workspace, upstream: Upstream, thing: str) -> None:
    upstream.lists("/users", numbered("user", 4), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])
    run_id = sync.start()
    gate.wait_for_request()

    workspace.api.delete(f"/{thing}/{sync.job_id if thing == 'sync-job' else sync.account_id}")
    gate.open()

    assert sync.finished(run_id)["status"] in {"completed", "failed", "stopped"}


def test_webhook_that_is_deleted_meanwhile_ends_the_run(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    upstream.lists("/users", numbered("user", 4), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users")])
    webhook_id = workspace.webhook(receiver)
    run_id = sync.start(webhook_id=webhook_id)
    gate.wait_for_request()

    workspace.api.delete(f"/webhook/{webhook_id}")
    gate.open()

    run = sync.finished(run_id)
    assert (run["status"], "was deleted" in run["error"]["message"]) == ("failed", True)
