"""Each run has one trace, whatever process works on it, and it has the run's id."""

from pathlib import Path

from app.stack.stack import Stack
from tests.support.collector import Collected, Collector
from tests.support.patience import WaitFor
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Workspace, child_of, listed

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def named(spans: list[Collected], name: str) -> list[Collected]:
    return [span for span in spans if span.name == name]


def parents(spans: list[Collected], name: str) -> set[str]:
    """Name what the spans of a name are below."""
    by_id = {span.id: span.name for span in spans}
    return {by_id[span.parent_id] for span in named(spans, name)}


def test_run_of_a_daemon_is_one_trace_from_the_request_to_the_last_page(
    workspace: Workspace, upstream: Upstream, collector: Collector
) -> None:
    users = numbered("user", 3)
    upstream.lists("/users", users, page_size=2)
    upstream.lists_by("/notes", "parent", {user["id"]: numbered(f"{user['id']}-note", 1) for user in users})
    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])

    run_id = sync.api.call("POST", "/sync-job-run", sync.body, headers={"traceparent": CALLER})["id"]
    sync.finished(run_id)
    spans = collector.wait_for(run_id, "run", "POST /sync-job-run", "settle", "slice notes", "write pages", fetched=6)

    (root,) = [span for span in spans if not span.parent_id]
    assert (root.name, root.id) == ("run", run_id.replace("-", "")[-16:])
    assert root.attributes["ferryman.run.status"] == "completed"
    assert {span.parent_id for span in spans} <= {"", *(span.id for span in spans)}
    (posted,) = named(spans, "POST /sync-job-run")
    assert (posted.kind, posted.service, posted.attributes["http.response.status_code"]) == (
        "server",
        "ferryman-api",
        201,
    )
    assert posted.links == (CALLER.split("-")[1],)
    for name in ("start", "settle", "slice users", "slice notes"):
        assert parents(spans, name) == {"run"}
    assert parents(spans, "write pages") == parents(spans, "GET /users") | parents(spans, "GET /notes")
    assert parents(spans, "GET /notes") == {"slice notes"}
    assert {span.service for span in spans if span is not posted and span.kind != "producer"} == {"ferryman-daemon"}
    assert sum(span.attributes["ferryman.records.fetched"] for span in named(spans, "write pages")) == 6
    requests = named(spans, "GET /users")
    assert {span.attributes["http.response.status_code"] for span in requests} == {200}
    assert {span.attributes["server.address"] for span in requests} == {"127.0.0.1"}
    assert not any(span.is_error for span in spans)


def test_webhook_run_passes_its_trace_on_to_the_receiver_and_to_no_upstream(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, collector: Collector, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 3))
    sync = workspace.sync(upstream.url, [listed("users")])

    run_id = sync.start(webhook_id=workspace.webhook(receiver))
    sync.finished(run_id)
    wait_for(lambda: "completed" in receiver.events, what="the last event")
    wait_for(
        lambda: len(named(collector.trace(run_id), "POST")) == len(receiver.deliveries), what="a span for each delivery"
    )
    spans = collector.wait_for(run_id, "run", "POST")

    assert parents(spans, "POST") == {"slice of deliveries"}
    assert parents(spans, "slice of deliveries") == {"run"}
    sent = {delivery.headers["traceparent"] for delivery in receiver.deliveries}
    assert sent == {f"00-{span.trace_id}-{span.id}-01" for span in named(spans, "POST")}
    assert not any("traceparent" in request.headers for request in upstream.requests)


def test_each_attempt_is_a_span_that_says_how_often_it_was_tried(
    workspace: Workspace, upstream: Upstream, collector: Collector
) -> None:
    upstream.answers_in_turn("/users", reply(status=500), reply({"data": [{"id": "u"}]}))
    sync = workspace.sync(upstream.url, [listed("users")])

    run_id = str(sync.run()["id"])
    spans = named(collector.wait_for(run_id, "run", "write pages"), "GET /users")

    spans.sort(key=lambda span: span.attributes.get("http.request.resend_count", 0))
    assert [(span.is_error, span.attributes.get("error.type")) for span in spans] == [(True, "500"), (False, None)]
    assert spans[1].attributes["http.request.resend_count"] == 1
    assert spans[1].attributes["ferryman.limiter.wait_seconds"] >= 0


def test_resumed_run_goes_on_in_its_trace(workspace: Workspace, upstream: Upstream, collector: Collector) -> None:
    upstream.answers_in_turn("/users", reply(status=400), reply({"data": [{"id": "u"}]}))
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = str(sync.run()["id"])
    collector.wait_for(run_id, "run")

    workspace.api.post(f"/sync-job-run/{run_id}/resume", {"errors_only": True})
    sync.finished(run_id)
    spans = collector.wait_for(run_id, "resumed run", "POST /sync-job-run/<id>/resume")

    assert len([span for span in spans if not span.parent_id]) == 1
    assert parents(spans, "resumed run") == {"run"}


def test_lines_of_the_log_name_the_trace(
    ferryman: Stack, workspace: Workspace, upstream: Upstream, collector: Collector
) -> None:
    upstream.lists("/users", numbered("user", 1))
    run_id = str(workspace.sync(upstream.url, [listed("users")]).run()["id"])
    collector.wait_for(run_id, "run")
    lines = [line for path in Path(ferryman.data.logs).iterdir() for line in path.read_text().splitlines()]

    of_run = [line for line in lines if f"run_id={run_id}" in line]

    assert {"a run has begun", "a run has ended", "request"} <= {
        words for words in ("a run has begun", "a run has ended", "request") for line in of_run if words in line
    }
    assert all(f"trace_id={run_id.replace('-', '')}" in line for line in of_run)
