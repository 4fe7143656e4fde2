"""`ferryman run` against a server that answers what a test tells it to."""

import json
import re
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
    "started_at": "2026-01-05T10:00:00.000Z",
    "finished_at": "2026-01-05T10:01:05.000Z",
    "sync_job": {"label": "People"},
    "resource_stats": {"users": {"list": {"fetched": 1200, "persisted": 1199, "errors": 1, "status": "completed"}}},
}
FAILED = RUN | {"status": "failed", "error": {"code": "http_401", "message": "[bad] key"}}


class PlannedApi:
    """A real HTTP server with planned answers; ``requests`` holds what it was asked.

    What runs wait for is asked for again and again: that is answered by ``waits``, and by 404 without.
    """

    def __init__(self) -> None:
        self.waits: Any = None
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, Any, str | None]] = []
        planned = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = self.headers.get("Idempotency-Key")
                if self.path.endswith("/waits"):
                    status, answer = (200, planned.waits) if planned.waits else (404, {"message": "no such route"})
                else:
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

    assert result.stdout.splitlines()[0] == "run r-1  completed  1 min 5 s"
    assert result.stdout.splitlines()[-2].split() == ["users", "list", "completed", "1,200", "1,199", "0", "1"]


def test_show_prints_the_api_s_own_json_on_request(api: PlannedApi) -> None:
    api.answers = [(200, RUN)]

    assert json.loads(api.ferryman("show", "r-1", "--json").output) == RUN


@pytest.mark.parametrize(
    ("stats", "code"),
    [
        ({"fetched": 3, "errors": 0}, 0),
        ({"fetched": 3, "errors": 2}, 1),
        ({"fetched": 3, "errors": 2, "retried": 2}, 0),
        ({"fetched": 3, "errors": 2, "retried": 1}, 1),
    ],
    ids=["none", "errors", "mended", "partly mended"],
)
@pytest.mark.parametrize("verb", ["follow", "create", "resume"])
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["table", "json"])
def test_follow_fails_when_a_run_completed_with_errors_that_stand(
    api: PlannedApi, stats: dict[str, int], code: int, verb: str, as_json: tuple[str, ...]
) -> None:
    ended = RUN | {"resource_stats": {"users": {"list": stats}}}
    api.answers = [(200, ended), (200, ended)]
    words = {"follow": ["r-1"], "create": ["j-1", "a-1", "--follow"], "resume": ["r-1", "--follow"]}[verb]

    result = api.ferryman(verb, *words, *as_json)

    assert result.exit_code == code, result.output


def test_follow_without_a_terminal_writes_a_line_per_change(api: PlannedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.running.following.time.sleep", lambda _seconds: None)

    def running(fetched: int, status: str = "running") -> tuple[int, Any]:
        stats = {"users": {"list": {"fetched": fetched, "errors": 0, "status": status}}}
        stats["notes"] = {"list": {"status": "waiting"}}
        return 200, RUN | {"status": "running", "resource_stats": stats}

    api.answers = [running(0), running(0), running(100), (200, RUN)]

    lines = [line.partition("  ")[2] for line in api.ferryman("follow", "r-1").stderr.splitlines()]

    assert lines[:5] == [
        "run r-1  running",
        "users list  running  0 fetched  0 persisted  0 unchanged  0 errors",
        "users list  running  100 fetched  0 persisted  0 unchanged  0 errors",
        "run r-1  completed",
        "users list  completed  1,200 fetched  1,199 persisted  0 unchanged  1 errors",
    ]


DRY = {
    "resources": [
        {
            **{"name": "users", "method": "list", "depends_on": None, "type": "request", "requests_at_least": 2},
            "request": {"method": "GET", "url": "https://up.test/users?[x]"},
            "first_page": {"count": 1200, "has_more": True},
            "error": None,
        },
        {
            **{"name": "notes", "method": "list", "depends_on": "users", "type": "request", "requests_at_least": 0},
            **{"request": None, "first_page": None, "error": None},
        },
        {
            **{"name": "sizes", "method": None, "depends_on": "users", "type": "transform", "requests_at_least": 0},
            **{"request": None, "first_page": None, "error": None},
        },
    ],
    "estimate": {"requests_at_least": 1200, "is_exact": False, "seconds_at_least": 240.0},
}


def test_dry_run_is_a_table(api: PlannedApi) -> None:
    api.answers = [(200, DRY)]

    result = api.ferryman("create", "j-1", "a-1", "--dry-run")

    assert [re.split(r"  +", line.strip()) for line in result.stdout.splitlines()] == [
        ["resource", "after", "first request", "first page", "requests"],
        ["users list", "-", "GET https://up.test/users?[x]", "1,200 records, and more follow", "2"],
        ["notes list", "users", "-", "not sent", "0"],
        ["sizes", "users", "transform", "not sent", "0"],
        [
            "Nothing was written. The run makes at least 1,200 requests, which take at least 240.0 s at the "
            "integration's rate limit"
        ],
    ]
    assert result.stderr == "next: ferryman run create j-1 a-1 --follow   # with the same options\n"


def test_dry_run_that_finds_faults_fails_and_is_json_on_request(api: PlannedApi) -> None:
    (users, *others) = DRY["resources"]  # type: ignore[misc]
    faulty = users | {"first_page": None, "error": {"code": "http_404", "message": "[no] such"}}
    exact = {"requests_at_least": 1, "is_exact": True, "seconds_at_least": None}
    api.answers = [(200, {"resources": [faulty, *others], "estimate": exact})] * 2

    table = api.ferryman("create", "j-1", "a-1", "--dry-run")
    whole = api.ferryman("create", "j-1", "a-1", "--dry-run", "--json")

    assert (table.exit_code, whole.exit_code) == (1, 1)
    assert "http_404: [no] such" in table.stdout
    assert table.stdout.splitlines()[-1] == "Nothing was written. The run makes 1 requests"
    assert json.loads(whole.stdout)["estimate"] == exact


def test_follow_ends_with_the_run_and_fails_with_it(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "running"}), (200, FAILED)]

    result = api.ferryman("follow", "r-1")

    assert result.exit_code == 1
    assert "http_401: [bad] key" in result.output


def test_list_hands_on_its_filters_and_shows_what_matters_of_each_run(api: PlannedApi) -> None:
    live = RUN | {"id": "r-2", "status": "created", "started_at": None, "finished_at": None, "resource_stats": {}}
    accounts = {"result": [{"id": "a-1", "tenant_id": "customer-1"}]}
    api.answers = [(200, {"result": [RUN, live], "next_cursor": None, "limit": 5}), (200, accounts)]

    result = api.ferryman("list", "--limit", "5", "--status", "completed", "--job", "j-1")

    assert [path for _, path, *_ in api.requests] == [
        "/sync-job-run?limit=5&status=completed&sync_job_id=j-1",
        "/integrated-account?id%5Bin%5D=a-1&limit=50",
    ]
    lines = [re.split(r"  +", line.strip()) for line in result.stdout.splitlines()]
    assert lines == [
        ["id", "status", "errors", "created", "duration", "job", "account", "tenant"],
        ["r-1", "completed", "1", RUN["created_at"], "1 min 5 s", "People", "a-1", "customer-1"],
        ["r-2", "created", "0", RUN["created_at"], "-", "People", "a-1", "customer-1"],
    ]


def test_list_is_shown_also_where_accounts_can_not_be_asked_for(api: PlannedApi) -> None:
    api.answers = [(200, {"result": [RUN], "next_cursor": None, "limit": 20}), (403, {"message": "no"})]

    assert api.ferryman("list").stdout.splitlines()[1].split()[-2:] == ["a-1", "-"]


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


NO_WAITS = {"waits": [], "resources": [], "is_slow": False, "usual_seconds": None}
WAITS = [
    (
        {"kind": "daemon", "message": "a daemon of group 'eu', and none is active"},
        "a daemon of group 'eu', and none is active: 'ferryman daemon --group eu' starts one",
    ),
    (
        {"kind": "daemon", "message": "a daemon of group 'eu', of which 1 are active"},
        "a daemon of group 'eu', of which 1 are active",
    ),
    ({"kind": "run", "message": "run r-0, which goes first"}, "run r-0, which goes first"),
    ({"kind": "broker", "message": "the broker"}, "the broker"),
    (
        {"kind": "limit", "message": "its upstream, until noon"},
        "its upstream, until noon; 'ferryman account budget reset a-1' ends the wait",
    ),
    (
        {"kind": "receiver", "message": "its receiver"},
        "its receiver; 'ferryman webhook deliveries w-1 --status pending' lists them",
    ),
    ({"kind": "upstream", "message": "its upstream, which is slow"}, "its upstream, which is slow"),
]


@pytest.mark.parametrize(("wait", "told"), WAITS, ids=[str(number) for number in range(len(WAITS))])
def test_show_says_what_a_run_waits_for_and_what_can_be_done(api: PlannedApi, wait: dict[str, str], told: str) -> None:
    live = RUN | {"status": "running", "daemon_group_key": "eu", "webhook_id": "w-1", "finished_at": None}
    api.answers, api.waits = [(200, live)], NO_WAITS | {"waits": [wait]}

    result = api.ferryman("show", "r-1")

    assert result.stdout.splitlines()[1] == f"  waits for {told}"
    assert result.stderr == "next: ferryman run follow r-1\n"


def test_show_says_how_fast_the_upstream_answers_beside_what_is_usual(api: PlannedApi) -> None:
    pace = {"resource": "users", "method": "list", "latency_ms": 2100.0, "usual_latency_ms": 380.0}
    pace |= {"requests_per_second": 3.25, "is_slow": True}
    api.answers, api.waits = [(200, RUN)], NO_WAITS | {"resources": [pace], "is_slow": True, "usual_seconds": 9.0}

    lines = api.ferryman("show", "r-1").stdout.splitlines()

    assert lines[1] == "  slow: its last runs took 9.0 s"
    assert lines[2].split() == [
        *("resource", "status", "fetched", "persisted", "unchanged", "errors"),
        "answer",
        "usually",
        "requests/s",
    ]
    assert " ".join(lines[3].split()) == "users list completed 1,200 1,199 0 1 2.1 s (slow) 380 ms 3.2"


def test_show_tells_of_a_run_when_its_waits_can_not_be_asked_for(api: PlannedApi) -> None:
    api.answers = [(200, RUN | {"status": "created", "started_at": None})]

    result = api.ferryman("show", "r-1")

    assert result.exit_code == 0
    assert result.stdout.startswith("run r-1  created\nresource")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"status": "failed"}, "run resume r-1 --follow"),
        ({"status": "stopped"}, "run resume r-1 --follow"),
        ({"status": "completed"}, "run resume r-1 --errors-only --follow"),
        ({"status": "completed", "resource_stats": {}}, "record list a-1"),
        ({"status": "completed", "resource_stats": {}, "webhook_id": "w"}, "webhook deliveries w --run r-1"),
    ],
)
def test_show_names_the_next_step(api: PlannedApi, run: dict[str, Any], words: str) -> None:
    api.answers = [(200, RUN | run)]

    assert api.ferryman("show", "r-1").stderr == f"next: ferryman {words}\n"


def test_show_counts_what_waits_for_the_receiver_when_a_run_has_a_webhook(api: PlannedApi) -> None:
    stats = {"users": {"list": {"fetched": 1200, "queued": 900, "delivered": 100, "errors": 0, "status": "running"}}}
    api.answers = [(200, RUN | {"status": "running", "webhook_id": "w-1", "resource_stats": stats})]

    result = api.ferryman("show", "r-1")

    lines = [line.split() for line in result.stdout.splitlines()[1:]]
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
    assert result.stdout.splitlines()[1].endswith("http_500  [odd] answer")
    assert result.stderr.startswith("next: ferryman run resume r-1 --errors-only --follow ")


def test_follow_says_that_the_run_goes_on_when_it_is_interrupted(
    api: PlannedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.cli.running.following.time.sleep", interrupt)
    api.answers = [(200, RUN | {"status": "running"})]

    result = api.ferryman("follow", "r-1")

    assert result.exit_code == 130
    assert "The run goes on" in result.output
    assert "Aborted" not in result.output


def test_resume_goes_on_and_follows_to_the_end(api: PlannedApi) -> None:
    api.answers = [
        (200, RUN | {"status": "created", "waiting_on": "r-0"}),
        (200, RUN | {"status": "created"}),
        (200, RUN | {"resource_stats": {}}),
    ]
    api.waits = NO_WAITS | {"waits": [{"kind": "run", "message": "run r-0, which goes first"}]}

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
