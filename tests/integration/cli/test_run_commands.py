"""`ferryman run` against a server that answers what a test tells it to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main

RUN = {
    "id": "r-1",
    "status": "completed",
    "sync_job_id": "j-1",
    "integrated_account_id": "a-1",
    "created_at": "2026-01-05T10:00:00.000Z",
    "error": None,
    "resource_stats": {"users": {"list": {"fetched": 1200, "persisted": 1199, "errors": 1, "status": "completed"}}},
}
FAILED = RUN | {"status": "failed", "error": {"code": "http_401", "message": "[bad] key"}}


class PlannedApi:
    """A real HTTP server with planned answers; ``requests`` holds what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, Any, str | None]] = []
        planned = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = self.headers.get("Idempotency-Key")
                planned.requests.append((self.command, self.path, json.loads(body) if body else None, key))
                status, answer = planned.answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_GET = do_POST = do_PATCH = respond

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def ferryman(self, *arguments: str) -> Result:
        url = f"http://127.0.0.1:{self.server.server_port}"
        return CliRunner(env={"FERRYMAN_URL": url, "FERRYMAN_TOKEN": "t"}).invoke(main, ["run", *arguments])


@pytest.fixture
def api() -> Iterator[PlannedApi]:
    planned = PlannedApi()
    thread = threading.Thread(target=planned.server.serve_forever)
    thread.start()
    yield planned
    planned.server.shutdown()
    thread.join()
    planned.server.server_close()


def test_create_sends_what_was_asked_for_and_nothing_else(api: PlannedApi) -> None:
    api.answers = [(201, RUN)]

    result = api.ferryman("create", "j-1", "a-1", "--args", '{"since": 1}', "--group", "eu", "--idempotency-key", "k")

    body = {
        "sync_job_id": "j-1",
        "integrated_account_id": "a-1",
        "args": {"since": 1},
        "daemon_group_key": "eu",
    }
    assert result.exit_code == 0
    assert api.requests == [("POST", "/sync-job-run", body, "k")]


def test_show_prints_each_resource(api: PlannedApi) -> None:
    api.answers = [(200, RUN)]

    result = api.ferryman("show", "r-1")

    assert result.output.splitlines()[0] == "run r-1  completed"
    assert result.output.splitlines()[-2].split() == ["users", "list", "completed", "1,200", "1,199", "1"]


def test_show_prints_the_api_s_own_json_on_request(api: PlannedApi) -> None:
    api.answers = [(200, RUN)]

    assert json.loads(api.ferryman("show", "r-1", "--json").output) == RUN


def test_follow_ends_with_the_run_and_fails_with_it(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "running"}), (200, FAILED)]

    result = api.ferryman("follow", "r-1")

    assert result.exit_code == 1
    assert "http_401: [bad] key" in result.output


def test_list_hands_on_its_filters(api: PlannedApi) -> None:
    api.answers = [(200, {"result": [RUN], "next_cursor": None, "limit": 5})]

    result = api.ferryman("list", "--limit", "5", "--status", "completed", "--job", "j-1")

    assert api.requests[0][1] == "/sync-job-run?limit=5&status=completed&sync_job_id=j-1"
    assert result.output.splitlines()[1].split() == ["r-1", "completed", RUN["created_at"], "j-1", "a-1"]


def test_stop_asks_for_the_status_stopped(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "stopped"})]

    result = api.ferryman("stop", "../r 1")

    assert api.requests == [("PATCH", "/sync-job-run/..%2Fr%201", {"status": "stopped"}, None)]
    assert result.exit_code == 0


def test_refusal_tells_every_fault(api: PlannedApi) -> None:
    failures = [{"path": "args.since", "message": "is required"}, {"path": "webhook_id", "message": "is not an id"}]
    api.answers = [(400, {"statusCode": 400, "message": "The input is not valid", "details": {"failures": failures}})]

    result = api.ferryman("create", "j-1", "a-1")

    assert result.exit_code == 1
    assert "args.since: is required" in result.output
    assert "webhook_id: is not an id" in result.output


def test_refusal_tells_no_fault_twice(api: PlannedApi) -> None:
    failures = [{"path": "args.since", "message": "is required"}]
    api.answers = [(400, {"message": "args.since: is required", "details": {"failures": failures}})]

    result = api.ferryman("create", "j-1", "a-1")

    assert result.output == "Error: POST /sync-job-run answered 400: args.since: is required\n"


@pytest.mark.parametrize(
    ("daemons", "told"),
    [
        (
            [{"status": "stopped"}],
            "waits for a daemon of group 'eu', and none is active: 'ferryman daemon --group eu' starts one",
        ),
        ([{"status": "active"}, {"status": "stopped"}], "waits for a daemon of group 'eu', of which 1 are active"),
    ],
    ids=["none", "one"],
)
def test_show_tells_what_daemons_a_run_waits_for_when_it_has_not_begun(
    api: PlannedApi, daemons: list[Any], told: str
) -> None:
    api.answers = [(200, RUN | {"status": "created", "daemon_group_key": "eu"}), (200, {"result": daemons})]

    result = api.ferryman("show", "r-1")

    assert told in result.output
    assert api.requests[1][1] == "/daemon?group_key=eu"


def test_show_tells_of_a_run_when_its_daemons_can_not_be_asked_for(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "created", "daemon_group_key": "eu"}), (503, {"message": "later"})]

    result = api.ferryman("show", "r-1")

    assert result.exit_code == 0
    assert result.output.startswith("run r-1  created\nresource")


def test_show_tells_until_when_a_run_waits_for_its_upstream(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "rate_limited", "retry_after": "2026-01-05T10:01:00.000Z"})]

    result = api.ferryman("show", "r-1")

    assert "waits for its upstream, which asked for that, until 2026-01-05T10:01:00.000Z" in result.output


def test_show_counts_what_waits_for_the_receiver_when_a_run_has_a_webhook(api: PlannedApi) -> None:
    stats = {"users": {"list": {"fetched": 1200, "queued": 900, "delivered": 100, "errors": 0, "status": "running"}}}
    api.answers = [(200, RUN | {"status": "running", "webhook_id": "w-1", "resource_stats": stats})]

    result = api.ferryman("show", "r-1")

    lines = [line.split() for line in result.output.splitlines()[1:]]
    assert lines[0] == ["resource", "status", "fetched", "queued", "delivered", "errors"]
    assert lines[1] == ["users", "list", "running", "1,200", "900", "100", "0"]


def test_show_tells_each_warning(api: PlannedApi) -> None:
    warnings = {"unproven_end": {"count": 1200, "message": "the list ended by a guess"}}
    api.answers = [(200, RUN | {"resource_stats": {"users": {"list": {"warnings": warnings}}}})]

    output = " ".join(api.ferryman("show", "r-1").output.split())

    assert "warning users list: unproven_end (1,200): the list ended by a guess" in output


def test_show_tells_how_to_list_the_errors_of_a_run_that_has_some(api: PlannedApi) -> None:
    faultless = {"users": {"list": {"fetched": 5, "errors": 0, "status": "completed"}}}
    api.answers = [(200, RUN), (200, RUN | {"resource_stats": faultless})]

    results = [api.ferryman("show", "r-1") for _ in range(2)]

    assert ["'ferryman run errors r-1' lists them" in result.output for result in results] == [True, False]


def test_errors_are_listed(api: PlannedApi) -> None:
    error = {"created_at": "2026-01-05T10:00:01.000Z", "resource": "users", "method": "list", "code": "http_500"}
    api.answers = [(200, {"result": [error | {"message": "[odd] answer"}]})]

    result = api.ferryman("errors", "r-1", "--limit", "5")

    assert api.requests[0][1] == "/sync-job-run/r-1/errors?limit=5"
    assert result.output.splitlines()[1].endswith("http_500  [odd] answer")


def test_follow_says_that_the_run_goes_on_when_it_is_interrupted(
    api: PlannedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.cli.progress.time.sleep", interrupt)
    api.answers = [(200, RUN | {"status": "running"})]

    result = api.ferryman("follow", "r-1")

    assert result.exit_code == 130
    assert "The run goes on" in result.output
    assert "Aborted" not in result.output


def test_resume_goes_on_and_follows_to_the_end(api: PlannedApi) -> None:
    api.answers = [
        (200, RUN | {"status": "created", "waiting_on": "r-0"}),
        (200, RUN | {"status": "created"}),
        (200, RUN),
    ]

    waiting = api.ferryman("resume", "r-1")
    followed = api.ferryman("resume", "r-1", "--errors-only", "--follow")

    assert "waits for run r-0" in waiting.output
    assert (waiting.exit_code, followed.exit_code) == (0, 0)
    assert api.requests == [
        ("POST", "/sync-job-run/r-1/resume", {}, None),
        ("POST", "/sync-job-run/r-1/resume", {"errors_only": True}, None),
        ("GET", "/sync-job-run/r-1", None, None),
    ]


@pytest.mark.parametrize(("balanced", "exit_code"), [(True, 0), (False, 1)])
def test_verify_tells_by_its_exit_code_whether_the_books_balance(
    api: PlannedApi, balanced: bool, exit_code: int
) -> None:
    check = {"resource": "users", "equation": "fetched = [a] + b", "left": 1200, "right": 1200, "holds": balanced}
    found = {"id": "r-1", "status": "completed", "balanced": balanced, "checks": [check]}
    api.answers = [(200, found), (200, found)]

    shown, as_json = api.ferryman("verify", "r-1"), api.ferryman("verify", "r-1", "--json")

    assert (shown.exit_code, as_json.exit_code) == (exit_code, exit_code)
    assert ("the books balance" in shown.output) is balanced
    assert "fetched = [a] + b" in shown.output
    assert "1,200" in shown.output
    assert json.loads(as_json.output) == found
    assert api.requests[0][:2] == ("GET", "/sync-job-run/r-1/verify")
