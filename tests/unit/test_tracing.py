"""Spans of runs: whose they are, what they are below, and that nothing is done where nobody wants them."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app import logs, tracing
from app.engine.errors import StoreUnavailableError
from app.net.loop import LoopThread
from app.tracing import Kind, Span

RUN = "3f2a9c1e-0d4b-4c6a-9b1e-5d7f8a6c2b10"
TRACE = RUN.replace("-", "")
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def recorded() -> Iterator[list[Span]]:
    spans: list[Span] = []
    tracing.start(spans.append)
    yield spans
    tracing.stop()


def test_trace_of_a_run_has_its_id_and_needs_no_message(recorded: list[Span]) -> None:
    with tracing.span("slice users", {"a": 1, "b": None}, kind=Kind.CONSUMER, run_id=RUN):
        pass

    (slice,) = recorded
    assert (slice.trace_id, slice.parent_id, slice.attributes) == (TRACE, TRACE[-16:], {"a": 1})
    assert slice.ended_ns >= slice.started_ns


def test_span_within_another_is_below_it(recorded: list[Span]) -> None:
    with tracing.span("slice", run_id=RUN) as outer, tracing.span("write pages") as inner:
        pass

    assert [span.name for span in recorded] == ["write pages", "slice"]
    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.id)


def test_span_of_another_run_is_not_below_this_one(recorded: list[Span]) -> None:
    other = RUN.replace("3", "4")

    with tracing.span("slice", run_id=RUN), tracing.span("send", run_id=other):
        pass

    assert recorded[0].trace_id == other.replace("-", "")


def test_outside_of_any_run_nothing_is_recorded(recorded: list[Span]) -> None:
    with tracing.span("POST") as span:
        span.set({"http.response.status_code": 200})

    assert recorded == []
    assert tracing.find_traceparent() is None


def test_work_of_no_run_has_a_trace_of_its_own(recorded: list[Span]) -> None:
    with tracing.trace("slice of a destination", {"a": 1}, kind=Kind.CONSUMER) as whole, tracing.span("write") as part:
        tracing.note_error(StoreUnavailableError())
    with tracing.trace("slice of a destination") as other:
        pass
    tracing.note_error(StoreUnavailableError())

    assert (whole.parent_id, whole.attributes, whole.kind, whole.error) == (None, {"a": 1}, Kind.CONSUMER, None)
    assert (part.trace_id, part.parent_id, part.error) == (whole.trace_id, whole.id, StoreUnavailableError().code)
    assert other.trace_id != whole.trace_id
    assert [span.name for span in recorded] == ["write", whole.name, other.name]


def test_coroutine_and_task_of_a_slice_are_below_it(recorded: list[Span]) -> None:
    loop = LoopThread("tests")

    async def ask() -> None:
        with tracing.span("GET /users"):
            pass

    with tracing.span("slice", run_id=RUN) as slice:
        loop.submit(ask()).result()
    loop.close()

    assert recorded[0].parent_id == slice.id


def test_slice_goes_on_in_another_thread(recorded: list[Span]) -> None:
    slice = tracing.begin("slice of deliveries", run_id=RUN)

    def go_on() -> None:
        with tracing.within(slice), tracing.span("POST"):
            pass
        slice.end()

    thread = threading.Thread(target=go_on)
    thread.start()
    thread.join()

    assert [(span.name, span.parent_id) for span in recorded] == [
        ("POST", slice.id),
        ("slice of deliveries", TRACE[-16:]),
    ]


def test_error_is_named_by_its_code_and_never_quoted(recorded: list[Span]) -> None:
    for error in (ValueError("secret"), StoreUnavailableError("secret")):
        with pytest.raises(type(error)), tracing.span("settle", run_id=RUN):
            raise error

    assert [span.error for span in recorded] == ["ValueError", StoreUnavailableError.code]
    assert "secret" not in repr(recorded)


def test_run_is_above_all_and_its_second_end_is_below_its_first(recorded: list[Span]) -> None:
    tracing.record_run(RUN, {}, started_at=CREATED, error="http_400")
    tracing.record_run(RUN, {}, started_at=CREATED, error=None, resumes=1)

    first, second = recorded
    assert (first.id, first.parent_id, first.error) == (TRACE[-16:], None, "http_400")
    assert first.started_ns == int(CREATED.timestamp()) * 10**9
    assert (second.name, second.parent_id) == ("resumed run", first.id)


def test_method_of_a_run_is_a_span(recorded: list[Span]) -> None:
    class Lifecycle:
        @tracing.trace_method("settle")
        def settle(self, run_id: str, *, twice: bool) -> bool:
            return twice

    assert Lifecycle().settle(RUN, twice=True)
    assert [span.name for span in recorded] == ["settle"]


def test_share_of_runs_is_decided_by_their_ids_alone() -> None:
    spans: list[Span] = []
    tracing.start(spans.append, ratio=0.25)
    ids = [f"{TRACE[:16]}{number * 16**9:016x}" for number in range(0, 16**5, 1024)]
    for id in ids:
        for _ in range(2):
            with tracing.span("slice", run_id=id) as span:
                flags = span.traceparent[-2:]
                assert flags == ("01" if span.is_sampled else "00")
    tracing.stop()

    traced = {span.trace_id for span in spans}
    assert len(spans) == 2 * len(traced)
    assert len(traced) == len(ids) // 4


@pytest.mark.parametrize("version", ["4", "7"])
def test_ids_of_runs_are_random_where_the_share_is_decided(version: str) -> None:
    from app.engine.ids import new_id, new_timed_id

    ids = [new_timed_id() if version == "7" else new_id() for _ in range(2000)]
    tracing.start(lambda span: None, ratio=0.5)
    sampled = [tracing.begin("slice", run_id=id).is_sampled for id in ids]
    tracing.stop()

    assert 850 < sum(sampled) < 1150


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", True),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        ("secret", False),
        ("", False),
        (None, False),
    ],
)
def test_traceparent_of_a_caller_is_read_strictly(text: str | None, is_one: bool) -> None:
    assert tracing.read_traceparent(text) == (text if is_one else None)


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("https://user:secret@api.example.com/secret?key=secret#secret", "api.example.com", 443),
        ("http://[::1]:8080/", "::1", 8080),
    ],
)
def test_of_an_address_the_host_is_told_alone(url: str, address: str, port: int) -> None:
    told = tracing.describe_address(url)

    assert (told["server.address"], told["server.port"]) == (address, port)
    assert "secret" not in repr(told)


def test_address_that_is_none_is_not_told() -> None:
    assert tracing.describe_address("http://host:secret/") == {}


def test_log_lines_name_the_trace_while_traces_are_on(recorded: list[Span]) -> None:
    assert tracing.list_ids(None) == {}
    assert tracing.list_ids(RUN) == {"trace_id": TRACE}
    with tracing.span("slice", run_id=RUN) as slice:
        assert tracing.list_ids(RUN) == {"trace_id": TRACE, "span_id": slice.id}


def test_json_lines_have_the_same_fields() -> None:
    import logging

    record = logging.makeLogRecord({"msg": "a run has ended", "run_id": RUN})
    assert "trace_id" not in json.loads(logs.JsonFormatter().format(record))
    tracing.start(lambda span: None)
    try:
        assert json.loads(logs.JsonFormatter().format(record))["trace_id"] == TRACE
        assert f"trace_id={TRACE}" in logs.FactsFormatter("%(message)s").format(record)
    finally:
        tracing.stop()


def test_what_waits_is_sent_at_the_end_and_once() -> None:
    closed: list[int] = []
    tracing.start(lambda span: None, close=lambda: closed.append(1))

    tracing.stop()
    tracing.stop()

    assert closed == [1]
    assert not tracing.is_on()


def test_off_everything_is_nothing() -> None:
    with tracing.span("slice", run_id=RUN) as span, tracing.within(tracing.begin("more", run_id=RUN)):
        span.set({"a": 1})
        tracing.record_run(RUN, {}, started_at=CREATED, error=None)

    assert span is tracing.NO_SPAN
    assert span.attributes == {}
    assert (tracing.find_traceparent(), tracing.list_ids(RUN)) == (None, {})


def test_off_nothing_that_sends_traces_is_loaded() -> None:
    # The client of Redis loads a part of OpenTelemetry by itself, where that is installed.
    senders = ("app.otlp", "opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf")
    script = f"import sys, app.wsgi, workers.celery_app; print([one for one in {senders} if one in sys.modules])"
    environment = {
        "DATABASE_URL": "postgresql:///x",
        "BROKER_URL": "memory://",
        "FERRYMAN_ENCRYPTION_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }

    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
